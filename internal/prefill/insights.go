package prefill

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/standing-log/standing/internal/lint"
)

// field says what a member of security-insights.yml means for a point. A path
// goes through mappings; * stands for every item of a list.
type field struct {
	path   string
	id     string
	answer bool   // a link here answers the point; else it takes judgement
	note   string // what is left to judge
}

// insightFields are members whose values are links, of schema 2.x, then 1.x.
// Of two that answer the same point, the first is heard first.
func insightFields() []field {
	return []field{
		{"repository.documentation.contributing-guide", "GV.01", true, ""},
		{"repository.documentation.contributing-guide", "GV.02", false, "does it say what quality is asked for?"},
		{"project.documentation.detailed-guide", "GV.03", true, ""},
		{"project.documentation.quickstart-guide", "GV.03", true, ""},
		{"repository.license.url", "LE.01", false, "does it cover everything, binaries and documentation too?"},
		{"repository.documentation.dependency-management-policy", "LE.02", false, "a policy for dependencies"},
		{"repository.url", "QA.02", false, "is all of its history public?"},
		{"project.vulnerability-reporting.security-policy", "QA.03", true, ""},
		{"repository.documentation.security-policy", "QA.03", true, ""},
		{"repository.documentation.review-policy", "QA.07", false, "is every change reviewed by another?"},
		{"project.documentation.release-process", "BR.02", false, "a release process"},
		{"project.documentation.signature-verification", "BR.03", false, "can everything released be checked so?"},
		{"repository.release.changelog", "BR.04", false, "does it tell security changes?"},
		{"project.documentation.support-policy", "EL.01", false, "does it announce ends of support?"},
		{"project.documentation.support-policy", "x-RC.01", false, "does it give versions and dates?"},
		{"repository.documentation.security-policy", "x-SP.01", false, "more than how to report?"},
		{"repository.security.assessments.third-party.*.evidence", "x-SR.01", false, "by whom, of what, and when?"},

		{"contribution-policy.contributing-policy", "GV.01", true, ""},
		{"contribution-policy.contributing-policy", "GV.02", false, "does it say what quality is asked for?"},
		{"documentation.*", "GV.03", true, ""},
		{"header.license", "LE.01", false, "does it cover everything, binaries and documentation too?"},
		{"dependencies.sbom.*.sbom-file", "QA.01", true, ""},
		{"dependencies.dependencies-lists.*", "QA.01", true, ""},
		{"header.project-url", "QA.02", false, "is all of its history public?"},
		{"vulnerability-reporting.security-policy", "QA.03", true, ""},
		{"project-lifecycle.release-cycle", "BR.02", false, "a release cycle"},
		{"header.changelog", "BR.04", false, "does it tell security changes?"},
		{"security-assessments.*.auditor-report", "x-SR.01", false, "by whom, of what, and when?"},
	}
}

// insight is a scalar of the file.
type insight struct {
	Path  string // as of field, with * for list items
	Value string
	Line  int
}

var errAliases = errors.New("aliases are not followed")

// parseInsights returns the scalars of a YAML document, in its order. Aliases,
// which could make a small file a large one, are refused.
func parseInsights(text []byte) ([]insight, error) {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	var out []insight
	err := walkYAML(&doc, "", 0, &out)
	return out, err
}

// The schemas need seven levels and paths of some 60 bytes. A long key is part
// of the path of all that is below it, and could make much of little.
const (
	maxDepth = 32
	maxPath  = 200
)

func walkYAML(n *yaml.Node, path string, depth int, out *[]insight) error {
	if depth > maxDepth {
		return errors.New("nested too deeply")
	}
	if len(path) > maxPath {
		return errors.New("it has a key of unlikely length")
	}
	under := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	switch n.Kind {
	case yaml.DocumentNode:
		return walkYAML(n.Content[0], path, depth+1, out)
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if err := walkYAML(item, under("*"), depth+1, out); err != nil {
				return err
			}
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if err := walkYAML(n.Content[i+1], under(n.Content[i].Value), depth+1, out); err != nil {
				return err
			}
		}
	case yaml.ScalarNode:
		*out = append(*out, insight{path, n.Value, n.Line})
	case yaml.AliasNode:
		return errAliases
	}
	return nil
}

// readInsights reads security-insights.yml.
func readInsights(r *Repository) []finding {
	f := r.tree.text("security-insights.yml", "security-insights.yaml")
	if f == nil {
		return nil
	}
	list, err := parseInsights(f.text)
	if err != nil {
		r.tree.note("%s was not used: %s", f.Path, firstLine(err))
		return nil
	}
	var out []finding
	for _, field := range insightFields() {
		for _, in := range list {
			if in.Path != field.path || !strings.Contains(in.Value, "://") {
				continue
			}
			out = append(out, field.finding(in, at(f, in)))
			break
		}
	}
	r.insightNotes(f, list)
	return append(append(out, contacts(f, list)...), team(f, list)...)
}

func at(f *File, in insight) string { return fmt.Sprintf("%s:%d", f.Path, in.Line) }

func (f field) finding(in insight, where string) finding {
	out := finding{id: f.id, where: where, link: in.Value, note: f.note}
	if f.answer {
		out.answer = "yes"
	}
	return out
}

// insightNotes keeps what is not about a point: how old the file is, and where
// support is asked for.
func (r *Repository) insightNotes(f *File, list []insight) {
	for _, in := range list {
		switch in.Path {
		case "header.last-reviewed", "header.expiration-date":
			what := strings.TrimPrefix(in.Path, "header.")
			r.tree.note("%s says %s: %.40s", at(f, in), what, in.Value)
		case "project.funding":
			if linkProblem(in.Value) == "" {
				r.Funding = Fact{in.Value, at(f, in)}
			}
		}
	}
}

// contacts looks for a security contact. Addresses that are no role's are not
// copied.
func contacts(f *File, list []insight) (out []finding) {
	for _, in := range list {
		switch in.Path {
		case "project.vulnerability-reporting.contact.email", "vulnerability-reporting.email-contact", "security-contacts.*.value":
			out = append(out, contact(in.Value, at(f, in)))
		case "project.vulnerability-reporting.reports-accepted", "vulnerability-reporting.accepts-vulnerability-reports":
			if in.Value == "false" {
				out = append(out, finding{id: "VM.01", where: at(f, in), empty: true, note: "it says that no reports are accepted"})
			}
		}
	}
	return out
}

// contact judges a mailbox or a link as a security contact.
func contact(value, where string) finding {
	f := finding{id: "VM.01", where: where}
	switch {
	case strings.HasPrefix(value, "https://"):
		f.answer, f.link = "yes", value
	case !strings.Contains(value, "@"):
		f.note = "is this a security contact?"
	case lint.CheckString(value) != nil:
		return personalContact(where)
	default:
		f.answer, f.note = "yes", value
	}
	return f
}

func personalContact(where string) finding {
	return finding{id: "VM.01", where: where, note: "a mailbox that is no role's is not copied: set up one such as security@"}
}

// team counts those who are named.
func team(f *File, list []insight) []finding {
	n, line := 0, 0
	for _, in := range list {
		if in.Path == "repository.core-team.*.name" || in.Path == "project-lifecycle.core-maintainers.*" {
			if n++; n == 1 {
				line = in.Line
			}
		}
	}
	if n == 0 {
		return nil
	}
	return []finding{{id: "QA.06", where: fmt.Sprintf("%s:%d", f.Path, line), note: fmt.Sprintf("it names %d; are they active?", n)}}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line[:min(len(line), 120)]
}
