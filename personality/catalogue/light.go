package catalogue

// The catalogue that `standing new` writes from.
const (
	LightName    = "orc-template-lite"
	LightVersion = "0.1"
)

// light is the light template of the ORC working group's draft (0.1, November
// 2025), derived from BSI TR-03185-2. The template is work in progress; a later
// version gets its own list. The points that begin with x- are not of the
// template: they are what manufacturers asked for most and it has no place for.
var light = []Item{
	{ID: "AU.01", Group: "Authorship", Strength: StrengthMust, Title: "who issues this: the organisation's name, address and website"},
	{ID: "AU.02", Group: "Authorship", Strength: StrengthMust, Title: "whom to contact: a role or a role mailbox, reached through the link", Personal: true},
	{ID: "AU.03", Group: "Authorship", Strength: StrengthMust, Title: "which projects, versions and dates are covered"},
	{ID: "GV.01", Group: "Governance", Strength: StrengthMust, Title: "there is a guide for contributors"},
	{ID: "GV.02", Group: "Governance", Strength: StrengthShould, Title: "that guide says what quality a contribution must have"},
	{ID: "GV.03", Group: "Governance", Strength: StrengthMust, Title: "use and intended purpose are documented"},
	{ID: "LE.01", Group: "Licensing", Strength: StrengthMust, Title: "everything in the project is public under an open-source licence"},
	{ID: "LE.02", Group: "Licensing", Strength: StrengthShould, Title: "dependencies, those for building included, are open source; exceptions are explained"},
	{ID: "QA.01", Group: "Quality", Strength: StrengthMust, Title: "direct dependencies are listed, with checksums where there are any"},
	{ID: "QA.02", Group: "Quality", Strength: StrengthMust, Title: "source code and its history are public"},
	{ID: "QA.03", Group: "Quality", Strength: StrengthMust, Title: "how to report a vulnerability is documented"},
	{ID: "QA.04", Group: "Quality", Strength: StrengthMust, Title: "tests can be repeated by others"},
	{ID: "QA.05", Group: "Quality", Strength: StrengthMustIf, Title: "where the language leaves memory errors possible, something mitigates them"},
	{ID: "QA.06", Group: "Quality", Strength: StrengthShould, Title: "more than one contributor is active"},
	{ID: "QA.07", Group: "Quality", Strength: StrengthShouldIf, Title: "where there are several contributors, somebody other than the author reviews each change"},
	{ID: "BR.01", Group: "Build and release", Strength: StrengthMust, Title: "building from source is documented"},
	{ID: "BR.02", Group: "Build and release", Strength: StrengthMust, Title: "each release has its own version, and versions only grow"},
	{ID: "BR.03", Group: "Build and release", Strength: StrengthMust, Title: "what is released can be checked for integrity, and how is documented"},
	{ID: "BR.04", Group: "Build and release", Strength: StrengthMust, Title: "each release says what changed, in function and in security"},
	{ID: "VM.01", Group: "Vulnerabilities", Strength: StrengthMust, Title: "there is a security contact, with a private channel if possible", Personal: true},
	{ID: "VM.02", Group: "Vulnerabilities", Strength: StrengthMust, Title: "vulnerabilities found are published in reasonable time, with what mitigates them"},
	{ID: "EL.01", Group: "End of life", Strength: StrengthShould, Title: "the end of support is announced"},

	{ID: "x-SP.01", Group: "Beyond the template", Strength: StrengthExtra, Title: "there is a security policy"},
	{ID: "x-SR.01", Group: "Beyond the template", Strength: StrengthExtra, Title: "somebody from outside reviewed the security, with a public report"},
	{ID: "x-RC.01", Group: "Beyond the template", Strength: StrengthExtra, Title: "supported versions and their dates are published"},
	{ID: "x-CM.01", Group: "Beyond the template", Strength: StrengthExtra, Title: "it is published which further security work funding would buy"},
}
