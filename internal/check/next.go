package check

import (
	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/verify"
)

// next is the one next step for a component; "" if there is none.
func next(c Component) string {
	switch c.Verdict {
	case verify.Invalid.String(), verify.Rollback.String():
		return "rely on nothing from that log; keep its copy as evidence, and tell its monitors"
	case verify.NoEvidence.String():
		return "sync that log, and check again"
	case verify.Stale.String():
		return "sync that log, or allow more with --max-age"
	case verify.Expired.String():
		return "look for a newer attestation, or ask the issuer whether there will be one"
	case Undecided:
		return "compare by hand what the attestation is about"
	case Unnamed:
		return "have it named by purl or digest where the SBOM is made"
	case verify.None.String():
		return "assess it yourself"
	}
	switch c.Severity {
	case catalogue.SeverityAct:
		return "read the reason, find out where the component is used, and decide now"
	case catalogue.SeverityReassess:
		if c.Verdict == verify.Active.String() {
			return "read the negative attestation, and assess the component"
		}
		return "assess the component without what was withdrawn"
	case catalogue.SeverityCaution:
		if len(c.Conflicts) > 0 {
			return "compare what the attestations say, and decide whom you believe"
		}
		return "wait for the decision, and do not rely on it until then"
	case catalogue.SeverityPlan:
		return "plan another version, another component, or other support"
	case catalogue.SeverityUpdate:
		return "read the newer attestation; it is not about this version"
	}
	return ""
}
