package catalogue

// annexI are the points of Annex I of Regulation (EU) 2024/2847. The ids are
// ours: part, number, letter.
var annexI = []Item{
	{ID: "CRA-I-1", Group: "Part I, properties", Title: "security fits the risks, from design through development to production", Strength: StrengthMust},
	{ID: "CRA-I-2a", Group: "Part I, properties", Title: "no exploitable vulnerability is known when it is made available", Strength: StrengthMust},
	{ID: "CRA-I-2b", Group: "Part I, properties", Title: "the default configuration is secure, and can be restored", Strength: StrengthMust},
	{ID: "CRA-I-2c", Group: "Part I, properties", Title: "security updates can cure vulnerabilities, by default without the user's doing", Strength: StrengthMust},
	{ID: "CRA-I-2d", Group: "Part I, properties", Title: "access without authority is prevented and reported", Strength: StrengthMust},
	{ID: "CRA-I-2e", Group: "Part I, properties", Title: "data are kept confidential, at rest, in transit and in use", Strength: StrengthMust},
	{ID: "CRA-I-2f", Group: "Part I, properties", Title: "data, commands, programs and settings keep their integrity", Strength: StrengthMust},
	{ID: "CRA-I-2g", Group: "Part I, properties", Title: "only data that are needed are processed", Strength: StrengthMust},
	{ID: "CRA-I-2h", Group: "Part I, properties", Title: "essential functions stay available, also after an incident", Strength: StrengthMust},
	{ID: "CRA-I-2i", Group: "Part I, properties", Title: "other devices and networks suffer as little as possible", Strength: StrengthMust},
	{ID: "CRA-I-2j", Group: "Part I, properties", Title: "little can be attacked, external interfaces included", Strength: StrengthMust},
	{ID: "CRA-I-2k", Group: "Part I, properties", Title: "an incident's effects are limited by mitigations against exploits", Strength: StrengthMust},
	{ID: "CRA-I-2l", Group: "Part I, properties", Title: "activity that matters to security is recorded, unless the user declines", Strength: StrengthMust},
	{ID: "CRA-I-2m", Group: "Part I, properties", Title: "users can remove their data and settings for good", Strength: StrengthMust},
	{ID: "CRA-II-1", Group: "Part II, vulnerability handling", Title: "components and vulnerabilities are identified, with a machine-readable SBOM", Strength: StrengthMust},
	{ID: "CRA-II-2", Group: "Part II, vulnerability handling", Title: "vulnerabilities are remedied without delay, apart from new features where feasible", Strength: StrengthMust},
	{ID: "CRA-II-3", Group: "Part II, vulnerability handling", Title: "security is tested and reviewed regularly", Strength: StrengthMust},
	{ID: "CRA-II-4", Group: "Part II, vulnerability handling", Title: "vulnerabilities that were fixed are published once the update is out", Strength: StrengthMust},
	{ID: "CRA-II-5", Group: "Part II, vulnerability handling", Title: "a policy for coordinated disclosure is in force", Strength: StrengthMust},
	{ID: "CRA-II-6", Group: "Part II, vulnerability handling", Title: "information about vulnerabilities can be shared, at a contact address", Strength: StrengthMust},
	{ID: "CRA-II-7", Group: "Part II, vulnerability handling", Title: "updates are distributed securely and in time", Strength: StrengthMust},
	{ID: "CRA-II-8", Group: "Part II, vulnerability handling", Title: "security updates come without delay, free of charge, with advisories", Strength: StrengthMust},
}
