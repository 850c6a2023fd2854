package prefill

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/standing-log/standing/personality/catalogue"
)

// box is a line that asks a point: - [x] **QA.03**: …
var box = regexp.MustCompile("^\\s*(?:[-*+]|[0-9]{1,3}[.)])?\\s*(?:\\[([^\\]]{0,8})\\]|([\u2610\u2611\u2612\u2705\u2714]))\\s*[*_`\\[(]{0,4}((?:[xX]-)?[A-Za-z]{2}\\.[0-9]{2})\\b(.*)$")

// httpLink is an address in running text. What closes a sentence or a bracket
// around it is cut off by trimLink.
var httpLink = regexp.MustCompile(`https?://[A-Za-z0-9][^\s<>"|` + "`" + `]{0,500}`)

// tick is a box of the form.
type tick struct {
	ID   string
	Mark string // "yes", "not-applicable", "" (empty), or "?" (something else)
	Line int
	Link string // the first one below
	At   int    // its line
	Text bool   // something else was filled in below
}

// parseCompliance reads the form of the light template. Whatever is not a box
// of the form, or a line below one, is skipped; of a point that is asked twice,
// the first box counts.
func parseCompliance(text []byte) []tick {
	var out []tick
	seen := map[string]bool{}
	open, blank := false, false // below a box; after an empty line
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if m := box.FindStringSubmatch(line); m != nil {
			id := pointID(m[3])
			if open = id != "" && !seen[id]; open {
				seen[id] = true
				out = append(out, tick{ID: id, Mark: mark(m[1] + m[2]), Line: n})
				out[len(out)-1].below(m[4], n)
			}
			blank = false
			continue
		}
		// A heading, or text that is not indented after an empty line, begins
		// something else.
		bare := strings.TrimSpace(line)
		if strings.HasPrefix(bare, "#") || blank && bare != "" && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
			open = false
		}
		if open {
			out[len(out)-1].below(line, n)
		}
		blank = bare == ""
	}
	return out
}

// pointID returns the id as the catalogue spells it, "" if it has none such.
func pointID(s string) string {
	s = strings.ToUpper(s)
	if rest, ok := strings.CutPrefix(s, "X-"); ok {
		s = "x-" + rest
	}
	c, _ := catalogue.Lookup(catalogue.LightName, catalogue.LightVersion)
	if _, ok := c.Item(s); !ok {
		return ""
	}
	return s
}

func mark(s string) string {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "_", "\u2610":
		return ""
	case "x", "\u2713", "\u2714", "\u2705", "\u2611", "\u2612":
		return "yes"
	case "n/a", "na", "n.a.":
		return "not-applicable"
	}
	return "?"
}

// below looks at a line of the block: its first link, and whether a field of
// the form was filled in.
func (t *tick) below(line string, n int) {
	if link := httpLink.FindString(line); link != "" && t.Link == "" {
		t.Link, t.At = trimLink(link), n
		return
	}
	_, value, ok := strings.Cut(line, ":")
	if ok && n > t.Line && strings.Trim(value, "_ \t") != "" {
		t.Text = true
	}
}

// trimLink cuts off what belongs to the text around a link.
func trimLink(s string) string {
	for {
		short := strings.TrimRight(s, ".,;:!?*_'")
		for _, pair := range []string{"()", "[]"} {
			if strings.HasSuffix(short, pair[1:]) && strings.Count(short, pair[1:]) > strings.Count(short, pair[:1]) {
				short = short[:len(short)-1]
			}
		}
		if short == s {
			return s
		}
		s = short
	}
}

// readCompliance reads COMPLIANCE.md.
func readCompliance(r *Repository) []finding {
	f := r.tree.text("COMPLIANCE.md")
	if f == nil {
		return nil
	}
	c, _ := catalogue.Lookup(catalogue.LightName, catalogue.LightVersion)
	var out []finding
	for _, t := range parseCompliance(f.text) {
		finding := finding{id: t.ID, where: fmt.Sprintf("%s:%d", f.Path, t.Line), link: t.Link, linkAt: fmt.Sprintf("%s:%d", f.Path, t.At)}
		switch t.Mark {
		case "":
			finding.empty = true
			if t.Text || t.Link != "" {
				finding.note = "something is filled in below it"
			}
		case "?":
			finding.empty, finding.note = true, "its mark is neither x nor n/a"
		default:
			finding.answer = t.Mark
		}
		// The form asks for a person's name here, and a link would lead to one.
		if item, _ := c.Item(t.ID); item.Personal && t.ID == "AU.02" {
			finding.link = ""
			finding.note = "names are not copied: link a role's page"
		}
		out = append(out, finding)
	}
	if len(out) == 0 {
		r.tree.note("%s has no boxes of the light template", f.Path)
	}
	return out
}
