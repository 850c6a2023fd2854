package catalogue

// Reason is a reason for withdrawing an attestation, holding it, or lifting a
// hold.
type Reason struct {
	Number   uint8  // as in the entry and in every record
	Code     string // stable
	Severity Severity
	Meaning  string // in our words
	// Refs, Link and Since tell which members of a revocation must be present.
	// Admission refuses one without; the map function does not care.
	Refs, Link, Since bool
	// Detail says what those members hold; "" if none is required.
	Detail string
	// Retroactive: the claim was or may have been untrue before it was
	// withdrawn, since the time in Since if there is one.
	Retroactive bool
}

// Severity is what a reason asks of somebody who relies on the attestation.
type Severity string

// Severities, gravest first.
const (
	SeverityAct      Severity = "act"      // something is wrong with the component: act now
	SeverityReassess Severity = "reassess" // the grounds for relying on it are gone
	SeverityCaution  Severity = "caution"  // wait: something is being looked into
	SeverityPlan     Severity = "plan"     // nothing is wrong; support or programme ends
	SeverityUpdate   Severity = "update"   // a newer attestation takes its place
	SeverityNone     Severity = "none"
)

// Numbers of the two reasons that belong to one action each.
const (
	ReasonHold         = 17
	ReasonHoldReleased = 18
)

// Reasons returns all reasons; the number of each is its place.
func Reasons() []Reason { return append([]Reason(nil), reasons...) }

// ReasonByCode returns the reason with the given code.
func ReasonByCode(code string) (Reason, bool) {
	for _, r := range reasons {
		if r.Code == code {
			return r, true
		}
	}
	return Reason{}, false
}

// ReasonByNumber returns the reason with the given number.
func ReasonByNumber(n uint8) (Reason, bool) {
	if int(n) >= len(reasons) {
		return Reason{}, false
	}
	return reasons[n], true
}

var reasons = []Reason{
	{Number: 0, Code: "unspecified", Severity: SeverityReassess,
		Meaning: "no reason is given"},
	{Number: 1, Code: "superseded", Severity: SeverityUpdate, Refs: true, Detail: "id of the newer attestation, 64 hex",
		Meaning: "a newer attestation about the same things takes its place"},
	{Number: 2, Code: "corrected", Severity: SeverityUpdate, Refs: true, Detail: "id of the corrected attestation, 64 hex, and the claim ids corrected",
		Meaning: "an error that changes no conclusion was put right in a newer attestation"},
	{Number: 3, Code: "end-of-support", Severity: SeverityPlan, Link: true, Since: true, Detail: "announcement, and the date support ended",
		Meaning: "support for what it covers has ended as announced"},
	{Number: 4, Code: "programme-ended", Severity: SeverityPlan, Refs: true, Detail: "id of the event that closed the programme, 64 hex",
		Meaning: "the programme whose rules it followed has closed"},
	{Number: 5, Code: "issuer-ceased", Severity: SeverityPlan,
		Meaning: "the issuer no longer exists, or no longer attests"},
	{Number: 6, Code: "affiliation-changed", Severity: SeverityReassess, Refs: true, Detail: "id of the event or document that records the change",
		Meaning: "the issuer's relation to the project has changed"},
	{Number: 7, Code: "mandate-withdrawn", Severity: SeverityReassess, Refs: true, Detail: "id of the event or document that withdrew the mandate",
		Meaning: "the project or programme no longer mandates the issuer for this"},
	{Number: 8, Code: "practice-lapsed", Severity: SeverityReassess, Refs: true, Detail: "claim ids concerned",
		Meaning: "a practice that it attests is no longer kept"},
	{Number: 9, Code: "evidence-expired", Severity: SeverityReassess, Refs: true, Detail: "SHA-256 of the evidence, 64 hex",
		Meaning: "evidence behind a claim has expired or was withdrawn"},
	{Number: 10, Code: "vulnerability", Severity: SeverityAct, Refs: true, Link: true, Detail: "ids of the vulnerability (CVE, EUVD, GHSA …), and an advisory",
		Meaning: "a vulnerability makes a claim untrue for what it covers"},
	{Number: 11, Code: "artifact-compromised", Severity: SeverityAct, Refs: true, Since: true, Retroactive: true, Detail: "digests affected, and since when",
		Meaning: "the artifact or its source was tampered with"},
	{Number: 12, Code: "misstatement", Severity: SeverityAct, Refs: true, Since: true, Retroactive: true, Detail: "claim ids concerned, and since when they were untrue",
		Meaning: "a claim was untrue in substance when it was made"},
	{Number: 13, Code: "dispute-upheld", Severity: SeverityAct, Refs: true, Retroactive: true, Detail: "id of the dispute",
		Meaning: "a dispute was decided against it"},
	{Number: 14, Code: "key-compromise", Severity: SeverityAct, Refs: true, Since: true, Retroactive: true, Detail: "keyid, 64 hex, and since when",
		Meaning: "the key that signed it is or may be in foreign hands"},
	{Number: 15, Code: "programme-key-compromise", Severity: SeverityAct, Refs: true, Since: true, Retroactive: true, Detail: "keyid, 64 hex, and since when",
		Meaning: "a key of the programme or the log is or may be in foreign hands"},
	{Number: 16, Code: "legal-order", Severity: SeverityReassess, Refs: true, Detail: "jurisdiction",
		Meaning: "a law or a court requires the withdrawal"},
	{Number: ReasonHold, Code: "hold", Severity: SeverityCaution,
		Meaning: "suspended until a date while something is looked into"},
	{Number: ReasonHoldReleased, Code: "hold-released", Severity: SeverityNone,
		Meaning: "the suspension is lifted"},
}
