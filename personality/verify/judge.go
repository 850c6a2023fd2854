package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/purl"
)

// Judge returns what speaks against the attestation e with record a, signed by
// a key with record k, at the time now, the worst first; nothing if it stands.
// It does not judge freshness, and proves nothing.
func Judge(e *entry.Entry, a mapfn.AttestationRecord, k mapfn.KeyRecord, now time.Time) []Cause {
	var causes []Cause
	add := func(c Cause, detail string, args ...any) {
		c.Detail = fmt.Sprintf(detail, args...)
		causes = append(causes, c)
	}
	revocation := func(action string) func(*entry.Entry) bool {
		return func(by *entry.Entry) bool {
			return by.Revocation != nil && by.Revocation.Action == action && names(by, e.ID)
		}
	}
	if a.State == mapfn.StateRevoked {
		add(Cause{Verdict: Revoked, Reason: a.Reason, EventIndex: a.Last, explains: revocation(entry.ActionRevoke)}, "revoked at index %d", a.Last)
	}
	if c, ok := void(e, a, k); ok {
		causes = append(causes, c)
	}
	if k.Cutoff != nil && *k.Cutoff <= a.Issued {
		add(Cause{Verdict: KeyVoid, EventIndex: k.Last, explains: func(by *entry.Entry) bool {
			return keyEvent(by, entry.ActionCompromise, e.KeyID)
		}}, "issued at index %d, and its key counts only below %d", a.Issued, *k.Cutoff)
	}
	if a.State == mapfn.StateSuperseded {
		add(Cause{Verdict: Superseded, EventIndex: a.Last, explains: func(by *entry.Entry) bool {
			return by.Attestation != nil && by.Attestation.Supersedes != nil && *by.Attestation.Supersedes == e.ID
		}}, "superseded by att:%x", *a.Successor)
	}
	if a.State == mapfn.StateHeld {
		add(Cause{Verdict: Suspended, Reason: a.Reason, EventIndex: a.Last, explains: revocation(entry.ActionHold)},
			"suspended until %s", date(*a.Until))
		if c := &causes[len(causes)-1]; *a.Until <= unix(now) {
			c.Verdict, c.Detail = Lapsed, c.Detail+", which came without a decision"
		}
	}
	if len(a.Withdrawn) > 0 {
		add(Cause{Verdict: Partial, EventIndex: a.Last, explains: revocation(entry.ActionClaims)},
			"claims withdrawn: %s", strings.Join(a.Withdrawn, ", "))
	}
	if p := e.Attestation; unix(now) < p.ValidFrom || unix(now) >= p.ValidUntil {
		add(Cause{Verdict: Expired}, "valid from %s until before %s", date(p.ValidFrom), date(p.ValidUntil))
	}
	return causes
}

func unix(t time.Time) uint64 { return uint64(max(t.Unix(), 0)) }

func date(t uint64) string { return time.Unix(int64(t), 0).UTC().Format(time.DateOnly) }

// void returns the cause that a range of the key is to the attestation, if one
// applies.
func void(e *entry.Entry, a mapfn.AttestationRecord, k mapfn.KeyRecord) (Cause, bool) {
	// SPEC: one of the key's voids has from ≤ issued < to and no package, or
	// that of a subject.
	applies := func(v mapfn.Void) bool {
		return v.From <= a.Issued && a.Issued < v.To && (v.Package == "" || slices.ContainsFunc(e.Subjects, func(s entry.Subject) bool {
			p, err := purl.Parse(s.Name)
			return err == nil && p.Package() == v.Package
		}))
	}
	i := slices.IndexFunc(k.Voids, applies)
	if i < 0 {
		return Cause{}, false
	}
	v := k.Voids[i]
	detail := fmt.Sprintf("issued at index %d, and what its key attested from %d to before %d", a.Issued, v.From, v.To)
	if v.Package != "" {
		detail += " about " + v.Package
	}
	return Cause{Verdict: Revoked, Detail: detail + " is revoked", Reason: &v.Reason, EventIndex: k.Last, explains: func(by *entry.Entry) bool {
		if !keyEvent(by, entry.ActionRange, e.KeyID) {
			return false
		}
		r := by.Key.Range
		return applies(mapfn.Void{From: r.From, To: r.To, Package: r.Package})
	}}, true
}

// keyEvent reports whether e does this to the key.
func keyEvent(e *entry.Entry, action string, key Hash) bool {
	return e.Key != nil && e.Key.Action == action && e.Subjects[0].ID == key
}
