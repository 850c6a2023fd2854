package watch

import (
	"fmt"
	"strings"
	"time"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/personality/catalogue"
)

// Kind is what has happened.
type Kind string

// Kinds of events.
const (
	Issued           Kind = "issued"
	Superseded       Kind = "superseded"
	Withdrawn        Kind = "withdrawn"
	ClaimsWithdrawn  Kind = "claims-withdrawn"
	Suspended        Kind = "suspended"
	Reinstated       Kind = "reinstated"
	KeyAdded         Kind = "key-added"
	KeyRetired       Kind = "key-retired"
	KeyCompromised   Kind = "key-compromised"
	RangeWithdrawn   Kind = "range-withdrawn"
	PartyEnrolled    Kind = "party-enrolled"
	PartyChanged     Kind = "party-changed"
	PartyEnded       Kind = "party-ended"
	ProgrammeChanged Kind = "programme-changed"
	CharterChanged   Kind = "charter-changed"
	Unreadable       Kind = "unreadable-leaf"
	StraySeal        Kind = "stray-seal"

	Expires Kind = "expiring"
	Expired Kind = "expired"
	Lapsed  Kind = "lapsed"

	Stale           Kind = "stale"
	Fresh           Kind = "fresh"
	Rollback        Kind = "rollback"
	SplitView       Kind = "split-view"
	FalseSeal       Kind = "false-seal"
	Consistent      Kind = "consistent"
	PromiseBroken   Kind = "promise-broken"
	PromiseOverdue  Kind = "promise-overdue"
	WitnessSilent   Kind = "witness-silent"
	WitnessUnproven Kind = "witness-unproven"
	WitnessHeard    Kind = "witness-heard"

	AllQuiet Kind = "all-quiet"
	NotQuiet Kind = "not-quiet"
)

// Event is something that has happened. (Its JSON is what receivers get.)
type Event struct {
	// ID is the same each time the event is delivered, and no other event's.
	ID   string    `json:"id"`
	Log  string    `json:"log"`
	Kind Kind      `json:"kind"`
	Time time.Time `json:"time"` // by the log's clock, or when a condition began
	// Index is that of the leaf, or of the leaf that was promised; none if it is
	// no leaf's doing.
	Index    *uint64            `json:"index,omitempty"`
	Severity catalogue.Severity `json:"severity"`
	// Text says all of it in a sentence.
	Text string `json:"text"`

	// Attestations are those of interest to which it happened.
	Attestations []string `json:"attestations,omitempty"`
	Components   []About  `json:"components,omitempty"`
	Party        string   `json:"party,omitempty"`
	PartyName    string   `json:"partyName,omitempty"`
	Key          string   `json:"key,omitempty"`
	Reason       string   `json:"reason,omitempty"`
	Refs         []string `json:"refs,omitempty"`
	Link         string   `json:"link,omitempty"`
	Claims       []string `json:"claims,omitempty"`
	Until        *uint64  `json:"until,omitempty"` // of a suspension, or of validity
	Code         string   `json:"code,omitempty"`  // why a leaf has no effect

	// Evidence is the name of a file that the watcher keeps.
	Evidence string `json:"evidence,omitempty"`
	Witness  string `json:"witness,omitempty"` // its name in the trust file
	// Of a daily sign of life: the tree, as of when, and leaves read since the
	// last one.
	Size uint64    `json:"size,omitempty"`
	AsOf time.Time `json:"asOf,omitzero"`
	Read uint64    `json:"read,omitempty"`
}

// About is a component to which an event matters.
type About struct {
	// Component is its place in the SBOM, or among all that was named; -1 if it
	// is none.
	Component int    `json:"component"`
	Name      string `json:"name"`
	Rule      string `json:"rule,omitempty"`
	Subject   string `json:"subject"`
	Undecided string `json:"undecided,omitempty"`
}

// Bad reports whether somebody who relies on what the event is about should look
// at it.
func (e *Event) Bad() bool {
	switch e.Severity {
	case catalogue.SeverityAct, catalogue.SeverityReassess, catalogue.SeverityCaution:
		return true
	}
	return false
}

func abouts(list []check.About) []About {
	var out []About
	for _, a := range list {
		out = append(out, About{a.Component, a.Name, string(a.Rule), a.Subject, a.Undecided})
	}
	return out
}

// names lists what an event is about, or how much it is.
func names(list []About) string {
	const most = 3
	var out []string
	for i, a := range list {
		if i == most {
			return fmt.Sprintf("%s and %d more", strings.Join(out, ", "), len(list)-most)
		}
		name := a.Name
		if a.Undecided != "" {
			name += " (perhaps: " + a.Undecided + ")"
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}

// because gives an event the reason with a number, and returns it in words.
func (e *Event) because(number uint8) string {
	reason, ok := catalogue.ReasonByNumber(number)
	if !ok {
		e.Reason = fmt.Sprintf("number-%d", number)
		return e.Reason
	}
	e.Reason, e.Severity = reason.Code, reason.Severity
	return reason.Code + ": " + reason.Meaning
}

func day(unix uint64) string { return time.Unix(int64(unix), 0).UTC().Format(time.DateOnly) }

func hexID(kind string, id Hash) string { return fmt.Sprintf("%s:%x", kind, id) }
