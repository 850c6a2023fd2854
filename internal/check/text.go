package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/verify"
)

// Say prints a line.
type Say func(format string, args ...any)

// Text prints the result for people, sorted by what needs action.
func (r *Result) Text(say Say) {
	head := r.SBOM.Format + ", sha256:" + r.SBOM.SHA256
	if r.SBOM.Product != "" {
		head = clean(r.SBOM.Product) + ": " + head
	}
	say("%s", head)
	say("%s", r.Totals.text())
	for _, l := range r.Logs {
		say("%s", l.text())
	}
	sections := []string{"To look at", "Standing", "Nothing is attested"}
	sorted := r.ByNeed()
	for i, title := range sections {
		first := true
		for _, c := range sorted {
			if c.section() != i {
				continue
			}
			if first {
				say("\n%s:", title)
				first = false
			}
			c.text(say)
		}
	}
	say("\n%s", Footer)
}

// ByNeed returns the components that need action first.
func (r *Result) ByNeed() []Component {
	out := slices.Clone(r.Components)
	verdicts := Verdicts()
	slices.SortStableFunc(out, func(a, b Component) int {
		return cmp.Or(a.section()-b.section(), gravity(a.Severity)-gravity(b.Severity),
			slices.Index(verdicts, a.Verdict)-slices.Index(verdicts, b.Verdict))
	})
	return out
}

// section is the part of the text that a component stands in.
func (c Component) section() int {
	switch {
	case c.Verdict == Unnamed, c.Verdict == verify.None.String():
		return 2
	case c.Verdict == verify.Active.String() && (c.Severity == "" || c.Severity == catalogue.SeverityNone):
		return 1
	}
	return 0
}

// Needs reports whether the component is one to look at.
func (c Component) Needs() bool { return c.section() == 0 }

// Label is what people know the component by.
func (c Component) Label() string {
	label := c.PURL
	if label == "" {
		if label = c.Name; c.Group != "" {
			label = c.Group + "/" + label
		}
		if c.Version != "" {
			label += "@" + c.Version
		}
	}
	if label == "" {
		label = fmt.Sprintf("component %d, which has no name", c.Index)
	}
	return clean(label)
}

// clean makes text of an SBOM one line of sensible length.
func clean(s string) string {
	const most = 300
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func (t Totals) text() string {
	var parts []string
	for _, v := range Verdicts() {
		if n := t.Verdicts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	text := Count(t.Components, "component")
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	text += fmt.Sprintf("; %s about them", Count(t.Attestations, "attestation"))
	if t.Conflicts > 0 {
		text += fmt.Sprintf("; %d with contradictions", t.Conflicts)
	}
	return text
}

// Count says how many there are of something whose plural takes an s.
func Count[N int | uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (l Log) text() string {
	switch {
	case l.Verdict == Unasked:
		return l.Origin + ": not asked, for no component can be looked up"
	case l.Size == 0:
		return fmt.Sprintf("%s: %s: %s", l.Origin, l.Verdict, l.Error)
	}
	text := fmt.Sprintf("%s: %d leaves, as of %s, ", l.Origin, l.Size, clock(l.AsOf))
	if l.Witnessed {
		text += "cosigned by " + strings.Join(l.Cosigners, ", ")
	} else {
		text += "by the log's word alone"
	}
	if l.Verdict != Fresh {
		text += fmt.Sprintf("; %s: %s", l.Verdict, l.Error)
	}
	return text
}

func (c Component) text(say Say) {
	line := c.Verdict + " " + c.Label()
	if c.Product {
		line += " (the product itself)"
	}
	if c.Severity != "" && c.Severity != catalogue.SeverityNone {
		line += ": " + string(c.Severity)
	}
	say("%s", line)
	if c.Detail != "" && !c.shown() {
		say("  %s", c.Detail)
	}
	for _, a := range c.Attestations {
		a.text(say)
	}
	for _, x := range c.Conflicts {
		say("  %s", x.text())
	}
	for _, o := range c.Undecided {
		say("  perhaps %s of %s, %s, about %s: %s", o.ID, o.PartyName, o.Verdict, o.Subject, o.Why)
	}
	if c.Next != "" && c.section() < 2 {
		say("  next: %s", c.Next)
	}
}

// shown reports whether what is listed below the component says why it has its
// verdict.
func (c Component) shown() bool {
	return c.Verdict == Undecided ||
		slices.ContainsFunc(c.Attestations, func(a Attestation) bool { return a.FollowedBy == "" && a.Verdict == c.Verdict })
}

func (a Attestation) text(say Say) {
	if a.FollowedBy != "" {
		say("  history: %s %s of %s, followed by %s", a.ID, a.Verdict, a.PartyName, a.FollowedBy)
		return
	}
	say("  %s %s: %s attested %s (%s) on %s", a.Verdict, a.ID, a.PartyName, a.Subject, a.how(), day(a.ValidFrom))
	say("    %s", a.who())
	for _, c := range a.Causes {
		say("    %s", c.text())
	}
	say("    %s", a.what())
}

// how says by which rule it is about the component.
func (a Attestation) how() string {
	if a.Digest == "" {
		return string(a.Rule)
	}
	return string(a.Rule) + ", digest " + a.Digest
}

func (a Attestation) who() string {
	text := fmt.Sprintf("as %s; role %s as enrolled by the registrar of %s; mandate %s", a.Relation, strings.Join(a.PartyRoles, ", "), a.Log, a.Mandate)
	if a.PartyEnded {
		text += "; the log no longer counts it among its parties"
	}
	if p := a.Programme; p != nil {
		state := "open"
		if !p.Open {
			state = "closed"
		}
		text += fmt.Sprintf("; under %s of %s, %s: %s", p.ID, cmp.Or(p.PartyName, "another party"), state, p.Link)
	}
	return text
}

func (a Attestation) what() string {
	var parts []string
	if a.Polarity != "positive" {
		parts = append(parts, a.Polarity)
	}
	switch c := a.Claims; {
	case c == nil && a.Document != "":
		parts = append(parts, "document "+a.Document)
	case c == nil:
		parts = append(parts, "content not public")
	case c.Points > 0:
		parts = append(parts, fmt.Sprintf("%s %s: %d of %d points answered, %d not stated", c.Catalogue, c.Version, c.Answered, c.Points, c.NotStated))
	default:
		parts = append(parts, fmt.Sprintf("%s %s: %d points answered, %d not stated", c.Catalogue, c.Version, c.Answered, c.NotStated))
	}
	if a.Claims != nil && a.Claims.Withdrawn > 0 {
		parts = append(parts, fmt.Sprintf("%d withdrawn", a.Claims.Withdrawn))
	}
	parts = append(parts, fmt.Sprintf("valid until %s", day(a.ValidUntil)))
	if a.SupportUntil != nil {
		parts = append(parts, "supported until "+day(*a.SupportUntil))
	} else {
		parts = append(parts, "end of support not stated")
	}
	if s := a.Support; s != nil {
		parts = append(parts, strings.TrimSpace("asks for "+s.Asks+" "+s.URL))
	}
	return strings.Join(parts, "; ")
}

func (c Cause) text() string {
	text := c.Verdict + ": " + c.Detail
	if c.Event != "" && !strings.Contains(c.Detail, c.Event) {
		text += ", by " + c.Event
	}
	if c.Reason != "" {
		text += "; " + c.Reason
	}
	if c.Meaning != "" {
		text += ": " + c.Meaning
	}
	if len(c.Refs) > 0 {
		text += "; " + strings.Join(c.Refs, ", ")
	}
	if c.Link != "" {
		text += "; " + c.Link
	}
	if c.Since != nil {
		text += "; since " + day(*c.Since)
	}
	return text
}

func (x Conflict) text() string {
	var sides []string
	for _, s := range x.Sides {
		sides = append(sides, fmt.Sprintf("%s (%s, %s): %s", s.PartyName, s.Relation, s.ID, s.Answer))
	}
	return fmt.Sprintf("contradiction on %s: %s", strings.TrimSpace(x.Catalogue+" "+x.Point), strings.Join(sides, "; "))
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// day is the day of Unix seconds.
func day(t uint64) string { return time.Unix(int64(t), 0).UTC().Format(time.DateOnly) }
