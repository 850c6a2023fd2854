package prefill

// Wanted says what would have answered a point, for those that nothing did.
func Wanted(id string) string {
	sources := map[string]string{
		"AU.01":   "a page of your organisation: no repository says who issues this",
		"AU.02":   "a page with a role or its mailbox: no repository says who issues this",
		"AU.03":   "the project's page; subjects above say the rest",
		"GV.01":   "CONTRIBUTING.md, or contributing-guide in security-insights.yml",
		"GV.02":   "CONTRIBUTING.md, or contributing-guide in security-insights.yml",
		"GV.03":   "README.md, or detailed-guide in security-insights.yml",
		"LE.01":   "LICENSE, or license in security-insights.yml",
		"LE.02":   "dependency-management-policy in security-insights.yml",
		"QA.01":   "an SBOM or a lock file at the top, or sbom in security-insights.yml",
		"QA.02":   "the address of origin, or of the repository in security-insights.yml",
		"QA.03":   "SECURITY.md, or security-policy in security-insights.yml",
		"QA.04":   "where it is written how to run the tests",
		"QA.05":   "what your language, or your tests, do against memory errors",
		"QA.06":   "core-team in security-insights.yml",
		"QA.07":   "review-policy in security-insights.yml",
		"BR.01":   "BUILDING.md or INSTALL",
		"BR.02":   "tags of versions, or release-process in security-insights.yml",
		"BR.03":   "signature-verification in security-insights.yml",
		"BR.04":   "CHANGELOG.md, or changelog in security-insights.yml",
		"VM.01":   "a role's mailbox or a private form in SECURITY.md, or a contact in security-insights.yml",
		"VM.02":   "where your advisories are, and your promise to publish them",
		"EL.01":   "support-policy in security-insights.yml",
		"x-SP.01": "SECURITY.md, or security-policy in security-insights.yml",
		"x-SR.01": "third-party assessments in security-insights.yml",
		"x-RC.01": "supported versions in SECURITY.md, or support-policy in security-insights.yml",
		"x-CM.01": "where you say what funding would buy",
	}
	return sources[id]
}
