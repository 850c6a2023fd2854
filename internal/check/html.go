package check

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/standing-log/standing/personality/verify"
)

//go:embed page.html page.css
var pageFiles embed.FS

// HTML writes the result as one page that needs nothing else: it runs no
// scripts and asks for nothing. Components that are only known to have nothing
// attested about them take a line each.
func (r *Result) HTML(w io.Writer) error {
	css, err := pageFiles.ReadFile("page.css")
	if err != nil {
		return err
	}
	page, err := template.New("page.html").Funcs(template.FuncMap{
		"words": Words, "clean": clean, "clock": clock, "day": day, "web": web, "said": said, "answers": answers,
		"how": Attestation.how, "label": Component.Label, "shown": Component.shown, "has": strings.Contains,
	}).ParseFS(pageFiles, "page.html")
	if err != nil {
		return err
	}
	digest := sha256.Sum256(css)
	out := bufio.NewWriter(w)
	if err := page.Execute(out, struct {
		*Result
		Title, Footer string
		Style         template.CSS
		StyleDigest   string
		Parts         []part
	}{r, Title, Footer, template.CSS(css), base64.StdEncoding.EncodeToString(digest[:]), r.parts()}); err != nil {
		return err
	}
	return out.Flush()
}

// part is a part of the page: components that need the same from its reader.
type part struct {
	ID, Title  string
	Verdicts   []tally
	Components []Component
}

// tally counts the components of a part that have a verdict.
type tally struct {
	Verdict    string
	Components int
}

// parts sorts the components as the text does. What it counts adds up to all.
func (r *Result) parts() []part {
	parts := []part{{ID: "look", Title: "To look at"}, {ID: "standing", Title: "Standing"}, {ID: "none", Title: "Nothing is attested"}}
	for _, c := range r.ByNeed() {
		p := &parts[c.section()]
		p.Components = append(p.Components, c)
		i := slices.IndexFunc(p.Verdicts, func(t tally) bool { return t.Verdict == c.Verdict })
		if i < 0 {
			i, p.Verdicts = len(p.Verdicts), append(p.Verdicts, tally{Verdict: c.Verdict})
		}
		p.Verdicts[i].Components++
	}
	return parts
}

// Words says a verdict in words.
func Words(verdict string) string {
	words := map[string]string{
		verify.Invalid.String(): "Evidence fails", verify.Rollback.String(): "Evidence contradicts itself",
		verify.Revoked.String(): "Withdrawn", verify.KeyVoid.String(): "Its key did not count",
		verify.Lapsed.String(): "Held, and the hold ran out", verify.Suspended.String(): "Held for now",
		verify.Partial.String(): "Withdrawn in part", verify.NoEvidence.String(): "Nothing can be told",
		verify.Superseded.String(): "Replaced by a newer one", verify.Expired.String(): "Its period ended",
		verify.Stale.String(): "The news is too old", verify.Active.String(): "Stands",
		Undecided: "May be about it, or not", Unnamed: "Cannot be looked up", verify.None.String(): "Nothing attested",
		Fresh: "Answered", Unasked: "Not asked",
	}
	return cmp.Or(words[verdict], verdict)
}

// web returns s if it is the address of a web page, which may be linked to.
func web(s string) string {
	if s != clean(s) || !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
		return ""
	}
	return s
}

// said returns the sides that gave one of the answers.
func said(x Conflict, answers ...string) (out []Side) {
	for _, s := range x.Sides {
		if slices.Contains(answers, s.Answer) {
			out = append(out, s)
		}
	}
	return out
}

// answers lists the points by answer; what is not stated is not listed.
func answers(c *Claims) string {
	var list []string
	for _, answer := range []string{"yes", "no", "not-applicable", "withdrawn"} {
		var ids []string
		for _, i := range c.Items {
			if i.Withdrawn && answer == "withdrawn" || !i.Withdrawn && i.Answer == answer {
				ids = append(ids, i.ID)
			}
		}
		if ids != nil {
			list = append(list, strings.ReplaceAll(answer, "-", " ")+": "+strings.Join(ids, ", "))
		}
	}
	return strings.Join(list, "; ")
}
