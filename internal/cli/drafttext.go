package cli

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/entry"
)

// remarks are the comments of a draft: head is above it, by has those beside a
// member, named as in "validUntil" or "VM.01.link", below those after a point.
type remarks struct {
	head  []string
	by    map[string]string
	below map[string][]string
}

// offer keeps lines that could take the place of a point's.
func (r *remarks) offer(id string, lines ...string) {
	if r.below == nil {
		r.below = map[string][]string{}
	}
	r.below[id] = lines
}

func (r *remarks) set(member, format string, args ...any) {
	if r.by == nil {
		r.by = map[string]string{}
	}
	r.by[member] = fmt.Sprintf(format, args...)
}

// draftWriter writes attestation.yaml.
type draftWriter struct {
	strings.Builder
	remarks *remarks
	now     time.Time
}

// text writes the draft, with examples of what it leaves out. Values are those
// of an entry or were checked to be fit for one: their grammars have no quotes
// and no line breaks. Remarks have what a repository says, which could be
// anything: a line break there would be YAML.
func (d *draft) text(r *remarks, now time.Time) []byte {
	w := &draftWriter{remarks: r, now: now.UTC()}
	w.line("# A security attestation, not yet signed. All of it becomes public and stays")
	w.line("# public: no names of persons, no personal mail addresses. Reasons and stories")
	w.line("# belong behind a link.")
	if len(r.head) > 0 {
		w.line("#")
	}
	for _, s := range r.head {
		w.line("# %s", oneLine(s))
	}
	w.line("logs: [%s]", quoted(d.Logs))
	w.line("subjects:")
	for i, s := range d.Subjects {
		w.subject(i, s)
	}
	w.line("")
	d.writeTerms(w)
	w.line("")
	w.line("# Answers: yes, no, not-applicable, not-stated. A point may have a link, the")
	w.line("# SHA-256 of evidence (evidence: <hex>), and a date (checkedAt: %s).", w.now.Format(time.DateOnly))
	w.line("claims:")
	w.line("  catalogue: %s", d.Claims.Catalogue)
	w.line("  version: %q", d.Claims.Version)
	w.line("  items:")
	list, _ := catalogue.Lookup(d.Claims.Catalogue, d.Claims.Version)
	group := ""
	for _, c := range d.Claims.Items {
		item, _ := list.Item(c.ID)
		if item.Group != group {
			group = item.Group
			w.line("    # %s", group)
		}
		w.claim(c, item)
	}
	return []byte(w.String())
}

// writeTerms writes what is about the attestation as a whole.
func (d *draft) writeTerms(w *draftWriter) {
	w.line("# What you are to it: first-party (it is yours), steward, second-party (you")
	w.line("# depend on it and its maintainers cooperate), third-party, public-body.")
	w.member("relation", d.Relation, "")
	w.line("polarity: %s # negative: it says what is missing", d.Polarity)
	w.line("legalBasis: %s # no programme under Article 25 exists in law yet", d.LegalBasis)
	w.member("validFrom", dateText(&d.ValidFrom), "")
	if w.remarks.by["validUntil"] == "" {
		w.remarks.set("validUntil", "at most %d years; say it again before it ends", lint.MaxValidityYears)
	}
	w.member("validUntil", dateText(&d.ValidUntil), "")
	w.member("supportUntil", dateText(d.SupportUntil), w.now.AddDate(2, 0, 0).Format(time.DateOnly))
	w.member("initiator", d.Initiator, "maintainer # who asked for it: steward, maintainer, manufacturer, user,")
	w.member("financer", d.Financer, "fiscal-host # who paid: assessor, public-body, fiscal-host, authority")
	w.member("supersedes", d.Supersedes, "att:<hex> # an earlier attestation of yours that this one replaces")
	w.member("programme", d.Programme, "prog:<hex> # the programme whose rules it is issued under")
	if d.Support != nil {
		w.member("support", fmt.Sprintf("{asks: %s, url: %q}", d.Support.Asks, d.Support.URL), "")
	} else {
		w.member("support", "", `{asks: funding, url: "https://…"}`)
	}
}

func (w *draftWriter) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// member writes a member of the top, or an example if it has no value.
func (w *draftWriter) member(name, value, example string) {
	switch {
	case value != "":
		w.line("%s: %s%s", name, value, w.remark(name))
	case example != "":
		w.line("# %s: %s%s", name, example, w.remark(name))
	}
}

// remark returns the comment beside a member.
func (w *draftWriter) remark(member string) string {
	if s := w.remarks.by[member]; s != "" {
		return " # " + oneLine(s)
	}
	return ""
}

func (w *draftWriter) subject(i int, s draftSubject) {
	name := fmt.Sprintf("subjects.%d.", i)
	w.line("  - purl: %q%s", s.Purl, w.remark(name+"purl"))
	if s.Digest != "" || versioned(s.Purl) {
		if w.remarks.by[name+"digest"] == "" {
			w.remarks.set(name+"digest", "of the artifact: sha256:<hex>, sha512:<hex> or gitCommit:<hex>")
		}
		w.line("    digest: %q%s", s.Digest, w.remark(name+"digest"))
		return
	}
	for _, m := range []struct{ name, value, example string }{
		{"vers", quotedOrNone(s.Vers), `"vers:semver/>=1.0.0|<2.0.0" # versions covered; without it: all`},
		{"from", dateText(s.From), w.now.Format(time.DateOnly) + " # releases of this period; without it: of any"},
		{"to", dateText(s.To), w.now.AddDate(1, 0, 0).Format(time.DateOnly)},
	} {
		if m.value != "" {
			w.line("    %s: %s", m.name, m.value)
		} else {
			w.line("    # %s: %s", m.name, m.example)
		}
	}
}

func (w *draftWriter) claim(c draftClaim, item catalogue.Item) {
	title := ""
	if item.Title != "" {
		title = fmt.Sprintf(" # %s: %s", item.Strength, item.Title)
	}
	w.line("    - id: %s%s", c.ID, title)
	w.line("      answer: %s%s", c.Answer, w.remark(c.ID+".answer"))
	if c.Link != "" {
		w.line("      link: %q%s", c.Link, w.remark(c.ID+".link"))
	} else {
		w.line("      # link: \"https://…\"")
	}
	if c.Evidence != "" {
		w.line("      evidence: %s%s", c.Evidence, w.remark(c.ID+".evidence"))
	}
	if c.CheckedAt != nil {
		w.line("      checkedAt: %s%s", dateText(c.CheckedAt), w.remark(c.ID+".checkedAt"))
	}
	for _, s := range w.remarks.below[c.ID] {
		w.line("      # %s", oneLine(s))
	}
}

// oneLine makes text fit for a comment.
func oneLine(s string) string {
	return printable(strings.NewReplacer("\n", " ", "\r", " ").Replace(s))
}

func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(out, ", ")
}

func quotedOrNone(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("%q", s)
}

// dateText writes a date as a draft has it.
func dateText(d *date) string {
	if d == nil {
		return ""
	}
	t := time.Unix(int64(*d), 0).UTC()
	if t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339)
}

func dateOf(t *uint64) *date {
	if t == nil {
		return nil
	}
	d := date(*t)
	return &d
}

func hashText(h *entry.Hash) string {
	if h == nil {
		return ""
	}
	return hex.EncodeToString(h[:])
}
