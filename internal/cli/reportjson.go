package cli

import (
	"fmt"
	"time"

	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

// reportJSON is a report in JSON output.
type reportJSON struct {
	Verdict   string       `json:"verdict"`
	Exit      int          `json:"exit"`
	Error     string       `json:"error,omitempty"`
	At        string       `json:"at,omitempty"` // RFC 3339, of --at
	Log       string       `json:"log,omitempty"`
	Size      uint64       `json:"size,omitempty"`
	Root      string       `json:"root,omitempty"`
	AsOf      string       `json:"asOf,omitempty"` // RFC 3339
	Witnessed bool         `json:"witnessed"`
	Cosigners []string     `json:"cosigners,omitempty"`
	Cosigned  []cosigned   `json:"cosigned,omitempty"`
	Results   []resultJSON `json:"results"`
	// Subjects are what was looked up, if the bundle shows it.
	Subjects []subjectJSON `json:"subjects,omitempty"`
	Notes    []noteJSON    `json:"notes,omitempty"`
}

// unloggedCode names revocations at hand that change no verdict.
const unloggedCode = "UNLOGGED_REVOCATION"

type noteJSON struct {
	Code   string `json:"code"` // unloggedCode
	File   string `json:"file"`
	Event  string `json:"event,omitempty"`
	Detail string `json:"detail"`
}

type resultJSON struct {
	ID         string      `json:"id"`
	Verdict    string      `json:"verdict"`
	Subjects   []string    `json:"subjects,omitempty"`
	Relation   string      `json:"relation,omitempty"`
	Index      uint64      `json:"index,omitempty"`
	Party      string      `json:"party,omitempty"`
	PartyName  string      `json:"partyName,omitempty"`
	PartyEnded bool        `json:"partyEnded,omitempty"`
	Withdrawn  []string    `json:"withdrawn,omitempty"` // ids of claims
	Programme  *progJSON   `json:"programme,omitempty"`
	ValidFrom  uint64      `json:"validFrom,omitempty"`  // Unix seconds
	ValidUntil uint64      `json:"validUntil,omitempty"` // Unix seconds
	Causes     []causeJSON `json:"causes,omitempty"`
}

type subjectJSON struct {
	Subject  string `json:"subject"`
	Complete bool   `json:"complete"` // these are all
	Why      string `json:"why,omitempty"`
	Count    uint64 `json:"count"` // how many the log has
	// Attestations are those of them among the results; Opened are others, which
	// are about other versions.
	Attestations []string `json:"attestations"`
	Opened       []string `json:"opened,omitempty"`
}

type progJSON struct {
	ID        string `json:"id"`
	Open      bool   `json:"open"`
	Rules     string `json:"rules"` // SHA-256 of the rules document
	Link      string `json:"link"`
	Party     string `json:"party"`
	PartyName string `json:"partyName,omitempty"`
}

// cosigned is a cosignature that verifies.
type cosigned struct {
	By string `json:"by"` // name in the trust file
	At string `json:"at"` // by the cosigner's own clock
}

func cosignedBy(cosignatures []trust.Cosignature) (out []cosigned) {
	for _, c := range cosignatures {
		out = append(out, cosigned{c.Name, time.Unix(c.Unix, 0).UTC().Format(time.RFC3339)})
	}
	return out
}

type causeJSON struct {
	Verdict string `json:"verdict"`
	Detail  string `json:"detail"`
	Event   string `json:"event,omitempty"`
	Index   uint64 `json:"index,omitempty"`
	Reason  *uint8 `json:"reason,omitempty"`
	Logged  *bool  `json:"logged,omitempty"` // false: the event is at hand, and not shown to be in the log
}

func reportOutput(r *verify.Report, in *atHand, code int) reportJSON {
	out := reportJSON{Verdict: r.Verdict.String(), Exit: code, Log: r.Origin, Size: r.Size,
		Witnessed: r.Witnessed, Cosigners: r.Cosigners, Results: []resultJSON{}}
	if r.Err != nil {
		out.Error = r.Err.Error()
		return out
	}
	out.Cosigned = cosignedBy(r.Cosignatures)
	out.Root, out.AsOf = fmt.Sprintf("%x", r.Root), r.AsOf.UTC().Format(time.RFC3339)
	for _, result := range r.Results {
		j := resultJSON{ID: result.ID, Verdict: result.Verdict.String(), Index: result.Index,
			Party: result.Party, PartyName: result.PartyName, PartyEnded: result.PartyEnded}
		if e := result.Entry; e != nil && e.Attestation != nil {
			j.Relation, j.ValidFrom, j.ValidUntil = e.Attestation.Relation, e.Attestation.ValidFrom, e.Attestation.ValidUntil
			for _, s := range e.Subjects {
				j.Subjects = append(j.Subjects, s.Name)
			}
		}
		if result.Record != nil {
			j.Withdrawn = result.Record.Withdrawn
		}
		if p := result.Programme; p != nil {
			j.Programme = &progJSON{p.ID, p.Open, fmt.Sprintf("%x", p.Rules.Rules), p.Rules.Link, p.Party, p.PartyName}
		}
		for _, c := range result.Causes {
			j.Causes = append(j.Causes, causeOutput(c))
		}
		out.Results = append(out.Results, j)
	}
	for _, s := range r.Subjects {
		j := subjectJSON{Subject: s.Data, Complete: s.Incomplete == "", Why: s.Incomplete, Count: s.Count, Attestations: []string{}}
		for _, i := range s.Results {
			j.Attestations = append(j.Attestations, r.Results[i].ID)
		}
		for _, e := range s.Opened {
			j.Opened = append(j.Opened, e.IDString())
		}
		out.Subjects = append(out.Subjects, j)
	}
	for _, n := range r.Notes {
		j := noteJSON{Code: unloggedCode, File: in.names[n.Index], Detail: n.Detail}
		if n.Event != nil {
			j.Event = n.Event.IDString()
		}
		out.Notes = append(out.Notes, j)
	}
	return out
}

func causeOutput(c verify.Cause) causeJSON {
	out := causeJSON{Verdict: c.Verdict.String(), Detail: c.Detail}
	if c.Event != nil {
		logged := !c.Unlogged
		out.Event, out.Index, out.Logged = c.Event.IDString(), c.EventIndex, &logged
	}
	out.Reason = causeReason(c)
	return out
}
