package check

import (
	"time"

	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/verify"
)

// What every form of a result says.
const (
	Title  = "Attestations checked"
	Footer = "Attestations are voluntary statements by the parties named; legal basis: none known to the logs asked. They do not " +
		"replace the manufacturer's own due diligence (Regulation (EU) 2024/2847, Art. 13(5))."
)

// Result is what there is to say about an SBOM. Its JSON is what its tags say;
// times are Unix seconds unless they are strings, which are RFC 3339.
type Result struct {
	SBOM       SBOM        `json:"sbom"`
	Now        time.Time   `json:"judgedAsOf"` // whose clock decides what is expired or stale
	Logs       []Log       `json:"logs"`
	Totals     Totals      `json:"totals"`
	Components []Component `json:"components"` // as in the SBOM
}

// SBOM is what was checked.
type SBOM struct {
	Format  string `json:"format"`
	SHA256  string `json:"sha256"`            // of the file
	Product string `json:"product,omitempty"` // what it is about, by its own word
}

// Log is a log that was asked, and how fresh its answer is.
type Log struct {
	Origin    string    `json:"origin"`
	Size      uint64    `json:"size,omitzero"`
	Root      string    `json:"root,omitempty"` // hex
	AsOf      time.Time `json:"asOf,omitzero"`  // quorum time, or the seal's own clock if not Witnessed
	Witnessed bool      `json:"witnessed"`
	Cosigners []string  `json:"cosigners,omitempty"`
	// Verdict is FRESH, UNASKED, or what is wrong, with Error: STALE,
	// NO_EVIDENCE, ROLLBACK or INVALID.
	Verdict string `json:"verdict"`
	Error   string `json:"error,omitempty"`
	// Bundles are the evidence for all that is said about the log.
	Bundles [][]byte `json:"-"`
}

// Verdicts of logs besides those of package verify.
const (
	Fresh   = "FRESH"   // it told how things stand now
	Unasked = "UNASKED" // no component could be looked up
)

// Totals counts components. The verdicts add up to Components.
type Totals struct {
	Components   int            `json:"components"`
	Verdicts     map[string]int `json:"verdicts"`
	Attestations int            `json:"attestations"` // that are about some component, each counted once per log
	Conflicts    int            `json:"conflicts"`    // components with conflicts
}

// Verdicts of components besides those of package verify.
const (
	Undecided = "UNDECIDED" // whether something is about it cannot be decided
	Unnamed   = "UNNAMED"   // there is nothing to look it up by
)

// Component is the answer about one component.
type Component struct {
	Index    int      `json:"index"`  // in the SBOM's order
	Parent   int      `json:"parent"` // index of the component it is nested in, or -1
	Product  bool     `json:"product,omitzero"`
	Ref      string   `json:"ref,omitempty"`
	Group    string   `json:"group,omitempty"`
	Name     string   `json:"name,omitempty"`
	Version  string   `json:"version,omitempty"`
	Type     string   `json:"type,omitempty"`
	PURL     string   `json:"purl,omitempty"` // as the SBOM has it
	LookedUp []string `json:"lookedUp"`       // canonical purls and digests

	Verdict  string             `json:"verdict"`
	Detail   string             `json:"detail,omitempty"`   // why, in a line
	Severity catalogue.Severity `json:"severity,omitempty"` // the gravest of all that asks for something
	Next     string             `json:"next,omitempty"`     // the next step

	Attestations []Attestation `json:"attestations"`
	Undecided    []Open        `json:"undecided"`
	Conflicts    []Conflict    `json:"conflicts"`
}

// Open is an attestation of which it cannot be decided whether it is about the
// component.
type Open struct {
	Log       string `json:"log"`
	ID        string `json:"id"`
	PartyName string `json:"partyName"`
	Subject   string `json:"subject"`
	Verdict   string `json:"verdict"` // of the attestation
	Why       string `json:"why"`
}

// Attestation is one that is about a component, in one log.
type Attestation struct {
	Log     string `json:"log"`
	ID      string `json:"id"`
	Index   uint64 `json:"index"`
	Verdict string `json:"verdict"`
	// FollowedBy is the id of the attestation because of which this one is
	// history.
	FollowedBy string `json:"followedBy,omitempty"`

	// How it is about the component.
	Rule    Rule   `json:"rule"`
	Subject string `json:"subject"`
	Digest  string `json:"digest,omitempty"` // "same" or "differs"; "" if not compared

	// Who.
	Party      string     `json:"party"` // party:<hex>
	PartyName  string     `json:"partyName"`
	PartyRoles []string   `json:"partyRoles"` // as enrolled by the log's registrar
	PartyEnded bool       `json:"partyEnded,omitzero"`
	Relation   string     `json:"relation"`
	Mandate    string     `json:"mandate"` // "none shown": no entry of a log states one today
	Programme  *Programme `json:"programme,omitempty"`

	// What.
	Polarity     string   `json:"polarity"`
	LegalBasis   string   `json:"legalBasis"`
	Kind         string   `json:"kind"` // "claims", "document" or "private"
	Claims       *Claims  `json:"claims,omitempty"`
	Document     string   `json:"document,omitempty"` // sha256:<hex>
	ValidFrom    uint64   `json:"validFrom"`
	ValidUntil   uint64   `json:"validUntil"`
	SupportUntil *uint64  `json:"supportUntil,omitempty"`
	Support      *Support `json:"support,omitempty"`

	Causes   []Cause            `json:"causes"` // what speaks against it, the deciding one first
	Severity catalogue.Severity `json:"severity,omitempty"`

	verdict verify.Verdict
	ended   uint64 // index of the last event that ended it, or 0
}

// Programme is the one under which an attestation was issued.
type Programme struct {
	ID        string `json:"id"`
	Open      bool   `json:"open"`
	PartyName string `json:"partyName,omitempty"`
	Link      string `json:"link"`
}

// Support is what the project asks for.
type Support struct {
	Asks string `json:"asks"`
	URL  string `json:"url,omitempty"`
}

// Claims are the answers to a catalogue. Points is 0 if it is not known how many
// there are; Answered, NotStated and Withdrawn add up to it otherwise.
type Claims struct {
	Catalogue string  `json:"catalogue"`
	Version   string  `json:"version"`
	Points    int     `json:"points,omitzero"`
	Answered  int     `json:"answered"` // yes, no or not-applicable
	NotStated int     `json:"notStated"`
	Withdrawn int     `json:"withdrawn"`
	Items     []Claim `json:"items"`
}

// Claim is one answer.
type Claim struct {
	ID        string `json:"id"`
	Answer    string `json:"answer"`
	Link      string `json:"link,omitempty"`
	Withdrawn bool   `json:"withdrawn,omitzero"`
}

// Cause is one thing that speaks against an attestation.
type Cause struct {
	Verdict  string             `json:"verdict"`
	Detail   string             `json:"detail"`
	Reason   string             `json:"reason,omitempty"` // code
	Meaning  string             `json:"meaning,omitempty"`
	Severity catalogue.Severity `json:"severity"`
	Event    string             `json:"event,omitempty"` // id of the entry behind it
	Index    uint64             `json:"index,omitzero"`  // of that entry
	Refs     []string           `json:"refs,omitempty"`
	Link     string             `json:"link,omitempty"`
	Since    *uint64            `json:"since,omitempty"`
}

// Conflict is a point on which attestations that stand contradict each other.
type Conflict struct {
	Catalogue string `json:"catalogue,omitempty"` // name and version; "" if it is about the whole
	Point     string `json:"point"`               // id of a claim, or "polarity"
	Sides     []Side `json:"sides"`
}

// Side is what one attestation says on a point.
type Side struct {
	ID        string `json:"id"`
	PartyName string `json:"partyName"`
	Relation  string `json:"relation"`
	Answer    string `json:"answer"`
}
