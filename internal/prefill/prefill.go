// Package prefill reads from a repository at hand what a steward would
// otherwise type into a draft: which component it is, its commit and releases,
// and, for points of the light template, what the repository says of itself.
//
// [Read] is the door. Sources, in this order of weight:
//
//   - COMPLIANCE.md, the form of the light template: - [x] QA.03: … Link: URL.
//     A mark answers yes (n/a: not applicable). An empty box says nothing, and
//     keeps anything else from answering in its place.
//   - security-insights.yml, OpenSSF Security Insights 1.x and 2.x.
//   - Files whose being there is the point: SECURITY, CONTRIBUTING, a lock file;
//     and those that only may be: README, LICENSE, CHANGELOG.
//   - git's own files: HEAD, refs, packed-refs, the address of origin.
//   - Manifests, for names only: go.mod, package.json, Cargo.toml,
//     pyproject.toml, pom.xml.
//
// A point is answered only where the repository itself answers it. What was
// found but takes judgement becomes a link and a note; what was not found says
// what was looked for. Nothing is made up: every value names file and line.
//
// # A repository is hostile input
//
// Invariants:
//
//   - No process is started and no network used. The git command would do more
//     (packed tag objects, reftables, linked worktrees), but it obeys the
//     configuration of the repository it reads: fsmonitor, hooks, filters,
//     promisor remotes. git's files that are read here are few and plain.
//   - Nothing outside the directory is read: symbolic links that lead out of it
//     are not followed, nor is a .git that is a file. Only regular files are
//     opened.
//   - Files are read whole up to maxText, hashed up to maxHashed; directories
//     are listed up to maxNames names; nothing is read recursively but refs/tags.
//   - Credentials in the address of origin are dropped. Mail addresses that are
//     no role's, and links that a log would refuse, are never returned.
package prefill

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/standing-log/standing/internal/lint"
)

// Repository is what was read.
type Repository struct {
	Packages []Package // that manifests name
	Git      Git
	Points   map[string]Point // by id of the light template
	Funding  Fact             // where support is asked for
	Notes    []string         // what a steward must know about the sources
	tree     *tree
}

// Fact is a value and where it stands: "SECURITY.md:3".
type Fact struct{ Value, Where string }

// Point is what was found for a point of the light template.
type Point struct {
	Answer   string // "yes", "not-applicable", or "" if it is for the steward to give
	Where    []string
	Link     Fact
	Evidence *File // what Link leads to, as it is here
	Notes    []string
}

// Found reports whether there is anything to go by.
func (p Point) Found() bool { return len(p.Where) > 0 }

// File is a file of the repository.
type File struct {
	Path   string
	SHA256 [32]byte
	text   []byte // nil if larger than maxText
}

// finding is one source's word on one point.
type finding struct {
	id     string
	answer string // as in Point
	empty  bool   // a form that asks the point and got no answer
	where  string
	link   string
	linkAt string // if that is elsewhere
	file   *File
	note   string
}

// Read reads the repository in dir. A directory in which nothing is found gives
// a Repository with nothing in it.
func Read(dir string) (*Repository, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the repository: %w", err)
	}
	defer root.Close()
	t := &tree{root: root}
	r := &Repository{Points: map[string]Point{}, tree: t}
	r.Git = readGit(t)
	r.Packages = readPackages(t)
	for _, read := range []func(*Repository) []finding{readCompliance, readInsights, readFiles} {
		for _, f := range read(r) {
			r.add(f)
		}
	}
	r.Notes = append(r.Notes, t.notes...)
	return r, nil
}

// Empty reports whether nothing was found.
func (r *Repository) Empty() bool {
	return len(r.Packages) == 0 && len(r.Points) == 0 && r.Git.Commit == ""
}

// add folds a finding in. Findings come in the order of their weight: the first
// that answers is the answer, the first link is the link.
func (r *Repository) add(f finding) {
	p := r.Points[f.id]
	if p.Answer == "" && !slices.Contains(p.Notes, emptyBox) {
		p.Answer = f.answer
	}
	p.Where = append(p.Where, f.where)
	if f.empty {
		p.Notes = append(p.Notes, emptyBox)
	}
	if f.note != "" && !slices.Contains(p.Notes, f.note) {
		p.Notes = append(p.Notes, f.note)
	}
	r.link(&p, f)
	r.Points[f.id] = p
}

// emptyBox is the note of a form's box without a mark.
const emptyBox = "the box is empty"

// link fills in link and evidence, which belong together.
func (r *Repository) link(p *Point, f finding) {
	link := f.link
	if link == "" && f.file != nil {
		link = r.Git.address(f.file.Path)
	}
	if p.Link.Value != "" || p.Evidence != nil || link == "" && f.file == nil {
		return
	}
	if problem := linkProblem(link); link != "" && problem != "" {
		p.Notes = append(p.Notes, fmt.Sprintf("the link in %s is left out: %s", cmp.Or(f.linkAt, f.where), problem))
		link = ""
	}
	p.Link = Fact{link, cmp.Or(f.linkAt, f.where)}
	if p.Evidence = f.file; f.file == nil {
		p.Evidence = r.linked(link)
	}
	if p.Link.Value == "" {
		p.Link = Fact{}
	}
}

// linked returns the file here that a link into this very repository leads to.
func (r *Repository) linked(link string) *File {
	if path := r.Git.path(link); path != "" {
		return r.tree.file(path)
	}
	return nil
}

// linkProblem says why a log would refuse the link.
func linkProblem(link string) string {
	switch {
	case strings.HasPrefix(link, "http://"):
		return "it is not https"
	case !linkPattern.MatchString(link):
		return "it is no https link of at most 200 plain characters"
	case lint.CheckString(link) != nil:
		return "it names a person, an address or a private host"
	}
	return ""
}

// Changed compares evidence of an earlier statement with the repository: the
// file that still has the digest, else the one that answers the point now.
func (r *Repository) Changed(id string, digest [32]byte) (now *File, same bool) {
	for _, p := range r.Points {
		if p.Evidence != nil && p.Evidence.SHA256 == digest {
			return p.Evidence, true
		}
	}
	return r.Points[id].Evidence, false
}

func hashFile(path string, data []byte) *File {
	f := &File{Path: path, SHA256: sha256.Sum256(data)}
	if len(data) <= maxText {
		f.text = data
	}
	return f
}
