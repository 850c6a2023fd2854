package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/standing-log/standing/internal/prefill"
	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/entry"
)

// oldDays is after how many days something checked should be checked again.
const oldDays = 180

// carrier carries an attestation forward, and keeps count of what differs.
type carrier struct {
	old   *predecessor
	repo  *prefill.Repository // nil if none is at hand
	now   time.Time
	until uint64 // 0: as long as before

	remarks remarks
	changes []change
	look    []attention
	carried int // answers that are as they were
}

// change is a difference between the old attestation and the draft.
type change struct {
	Member string `json:"member"`
	From   string `json:"from,omitempty"`
	To     string `json:"to"`
	Why    string `json:"why,omitempty"`
}

// attention is what the steward should look at.
type attention struct {
	Member string `json:"member"`
	Why    string `json:"why"`
}

// changed notes a difference, on screen and in the draft.
func (c *carrier) changed(member, remark, from, to, why string) {
	c.changes = append(c.changes, change{member, from, to, why})
	was := "was " + orNone(from)
	if why != "" {
		was += "; " + why
	}
	c.remarks.set(remark, "%s", was)
}

func (c *carrier) watch(member, remark, format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	c.look = append(c.look, attention{member, why})
	if remark != "" {
		c.remarks.set(remark, "LOOK: %s", why)
	}
}

// carry returns the draft of the successor.
func (c *carrier) carry() *draft {
	a := c.old.entry.Attestation
	d := draftOf(c.old.entry)
	c.remarks.head = []string{"Carried forward from " + c.old.entry.IDString() + ".",
		"\"was\": it differs from there. \"LOOK\": see whether it is still true."}
	c.remarks.set("supersedes", "the attestation that this one replaces")
	c.period(d, a)
	d.Supersedes = c.old.entry.IDString()
	if a.Supersedes != nil {
		c.changed("supersedes", "supersedes", fmt.Sprintf("att:%x", *a.Supersedes), d.Supersedes, "")
	}
	if v := c.old.verdict; v != "" && v != "ACTIVE" && v != "EXPIRED" {
		c.watch("the old one", "", "%s: it did not simply stand", v)
	}
	if d.SupportUntil != nil && uint64(*d.SupportUntil) <= uint64(c.now.Unix()) {
		c.watch("supportUntil", "supportUntil", "%s is past", dateText(d.SupportUntil))
	}
	for i := range d.Claims.Items {
		before, looked := len(c.changes), len(c.look)
		c.claim(&d.Claims.Items[i])
		if len(c.changes) == before && len(c.look) == looked {
			c.carried++
		}
	}
	if c.repo == nil && slices.ContainsFunc(d.Claims.Items, func(i draftClaim) bool { return i.Evidence != "" }) {
		c.watch("evidence", "", "not compared: no repository of it is at hand; run this in one, or give --repo DIR")
	}
	return d
}

// period moves the validity: from today, as long as before.
func (c *carrier) period(d *draft, a *entry.Attestation) {
	today := c.now.Truncate(24 * time.Hour)
	d.ValidFrom = date(today.Unix())
	d.ValidUntil = date(uint64(d.ValidFrom) + a.ValidUntil - a.ValidFrom)
	if c.until != 0 {
		d.ValidUntil = date(c.until)
	}
	for _, m := range []struct {
		name     string
		from, to date
	}{{"validFrom", date(a.ValidFrom), d.ValidFrom}, {"validUntil", date(a.ValidUntil), d.ValidUntil}} {
		if m.from != m.to {
			c.changed(m.name, m.name, dateText(&m.from), dateText(&m.to), "")
		}
	}
}

// claim looks at one answer. Answers stay, except those that were withdrawn:
// carrying them forward would say again what was taken back.
func (c *carrier) claim(item *draftClaim) {
	if r := c.old.record; r != nil && slices.Contains(r.Withdrawn, item.ID) {
		c.changed(item.ID, item.ID+".answer", item.Answer, "not-stated", "it was withdrawn")
		item.Answer = "not-stated"
		return
	}
	if c.repo != nil {
		if p := c.repo.Points[item.ID]; p.Answer != "" && p.Answer != item.Answer {
			c.watch(item.ID, item.ID+".answer", "the repository says %s: %s", p.Answer, strings.Join(p.Where, "; "))
		}
	}
	if item.Answer == "not-stated" {
		return // nothing rests on its evidence
	}
	c.evidence(item)
	if item.CheckedAt == nil {
		return
	}
	if days := (c.now.Unix() - int64(*item.CheckedAt)) / secondsPerDay; days > oldDays {
		c.watch(item.ID, item.ID+".checkedAt", "checked %d days ago, on %s", days, dateText(item.CheckedAt))
	}
}

// evidence compares digests with the repository. What is unchanged was checked
// today.
func (c *carrier) evidence(item *draftClaim) {
	digest, err := optionalHash(item.Evidence)
	if c.repo == nil || err != nil || digest == nil {
		return
	}
	now, same := c.repo.Changed(item.ID, *digest)
	switch {
	case same:
		today := date(c.now.Truncate(24 * time.Hour).Unix())
		if item.CheckedAt == nil || *item.CheckedAt < today {
			c.changed(item.ID, item.ID+".checkedAt", dateText(item.CheckedAt), dateText(&today), now.Path+" is unchanged")
			item.CheckedAt = &today
		}
	case now != nil:
		c.watch(item.ID, item.ID+".evidence", "evidence has changed: %s is another now", now.Path)
		offer := []string{"as it is now; if the answer still holds, take these:"}
		if link := c.repo.Points[item.ID].Link.Value; link != "" {
			offer = append(offer, fmt.Sprintf("link: %q", link))
		}
		c.remarks.offer(item.ID, append(offer, fmt.Sprintf("evidence: %x", now.SHA256), "checkedAt: "+c.now.Format(time.DateOnly))...)
	default:
		c.watch(item.ID, item.ID+".evidence", "nothing in the repository has this digest")
	}
}

// draftOf is the inverse of statement, for attestations with claims.
func draftOf(e *entry.Entry) *draft {
	a := e.Attestation
	d := &draft{
		Logs: a.Logs, Relation: a.Relation, Polarity: a.Polarity, LegalBasis: a.LegalBasis,
		Initiator: a.Initiator, Financer: a.Financer, ValidFrom: date(a.ValidFrom), ValidUntil: date(a.ValidUntil),
		SupportUntil: dateOf(a.SupportUntil), Claims: draftClaims{Catalogue: a.Claims.Catalogue, Version: a.Claims.Version},
	}
	if a.Supersedes != nil {
		d.Supersedes = fmt.Sprintf("att:%x", *a.Supersedes)
	}
	if a.Programme != nil {
		d.Programme = fmt.Sprintf("prog:%x", *a.Programme)
	}
	if a.Support != nil {
		d.Support = &draftSupport{a.Support.Asks, a.Support.URL}
	}
	for _, c := range inOrder(a.Claims) {
		d.Claims.Items = append(d.Claims.Items, draftClaim{c.ID, c.Answer, c.Link, hashText(c.Evidence), dateOf(c.CheckedAt)})
	}
	for _, s := range e.Subjects {
		subject := draftSubject{Purl: s.Name}
		if i := slices.IndexFunc(a.Scopes, func(scope entry.Scope) bool { return scope.Purl == s.Name }); i >= 0 {
			scope := a.Scopes[i]
			subject.Vers, subject.From, subject.To = scope.Vers, dateOf(scope.From), dateOf(scope.To)
		} else {
			subject.Digest = s.Algorithm + ":" + s.Digest
		}
		d.Subjects = append(d.Subjects, subject)
	}
	return d
}

// inOrder returns the items in the order of their catalogue, as people read it;
// entries have them by id.
func inOrder(claims *entry.Claims) []entry.Claim {
	list, _ := catalogue.Lookup(claims.Catalogue, claims.Version)
	place := func(id string) int {
		return slices.IndexFunc(list.Items, func(i catalogue.Item) bool { return i.ID == id })
	}
	return slices.SortedStableFunc(slices.Values(claims.Items), func(a, b entry.Claim) int { return place(a.ID) - place(b.ID) })
}
