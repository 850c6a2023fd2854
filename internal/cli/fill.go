package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/internal/prefill"
	"github.com/standing-log/standing/personality/purl"
)

// about is what a draft is about, and the repository it is filled in from: nil
// if there is none.
type about struct {
	purl purl.Purl
	from string // where a manifest names it
	repo *prefill.Repository
}

// about finds out what a draft is about.
func (a *app) about(arg, dir string) (about, error) {
	if arg == "" {
		repo, err := prefill.Read(cmp.Or(dir, "."))
		if err != nil {
			return about{}, usage("%w", err).hinted("name the component, or the directory of its repository with --repo")
		}
		return a.aboutHere(repo)
	}
	name, err := lint.CanonicalPurl(arg)
	if err != nil {
		return about{}, err
	}
	if name != arg {
		a.note("written as %s, by the rules of its type", name)
	}
	p, err := purl.Parse(name)
	if err != nil {
		return about{}, err
	}
	repo, err := a.repository(dir, p)
	if repo == nil {
		return about{purl: p}, err
	}
	pkg, _ := repo.Named(p)
	return about{p, pkg.Where, repo}, nil
}

// repository returns the repository of the components. One that happens to be
// the current directory is believed only about what it names itself, nil if it
// names none of them; one that is asked for is read whatever it is called.
func (a *app) repository(dir string, components ...purl.Purl) (*prefill.Repository, error) {
	repo, err := prefill.Read(cmp.Or(dir, "."))
	switch {
	case err != nil && dir == "":
		return nil, nil
	case err != nil:
		return nil, usage("--repo: %w", err).hinted("name the directory of the repository")
	case dir != "":
		return repo, nil
	}
	for _, p := range components {
		if _, ok := repo.Named(p); ok {
			return repo, nil
		}
	}
	if !repo.Empty() {
		a.note("This directory does not say that it is %s, and is not read. If it is, add --repo .", components[0].Package())
	}
	return nil, nil
}

// aboutHere takes the one component that the repository names, in the version
// that is checked out.
func (a *app) aboutHere(repo *prefill.Repository) (about, error) {
	if len(repo.Packages) != 1 {
		candidates := repo.Packages
		if pkg, ok := repo.Hosted(); ok {
			candidates = append(candidates, pkg)
		}
		names := []string{}
		for _, pkg := range candidates {
			names = append(names, pkg.Purl+" ("+pkg.Where+")")
		}
		if len(names) == 0 {
			names = append(names, "pkg:npm/lodash@4.17.21")
		}
		return about{}, usage("which component is it about? The manifests here do not name exactly one").
			hinted("name it, such as " + strings.Join(names, " or "))
	}
	pkg := repo.Packages[0]
	name, _, ok := repo.Current(pkg)
	if !ok {
		name = pkg.Purl
		a.note("No one tag of a version is checked out: the draft is about all versions. For one, check it out, or: standing new %s@VERSION", name)
	}
	p, err := purl.Parse(name)
	return about{p, pkg.Where, repo}, err
}

// filled says, by id, what became of the points.
type filled struct {
	Answered []string `json:"answered"` // as the repository says
	Open     []string `json:"open"`     // something was found; the steward decides
	Missing  []string `json:"missing"`  // nothing was found
}

// fill writes what the repository says into the draft. It returns nil if there
// is no repository.
func (ab about) fill(d *draft, r *remarks, now time.Time) *filled {
	if ab.repo == nil {
		return nil
	}
	ab.head(r)
	ab.subject(&d.Subjects[0], r)
	if f := ab.repo.Funding; f.Value != "" {
		r.set("support", "%s has %s", f.Where, f.Value)
	}
	out := &filled{}
	today := date(now.UTC().Truncate(24 * time.Hour).Unix())
	for i := range d.Claims.Items {
		c := &d.Claims.Items[i]
		p := ab.repo.Points[c.ID]
		switch {
		case p.Answer != "":
			c.Answer = p.Answer
			out.Answered = append(out.Answered, c.ID)
			r.set(c.ID+".answer", "%s", strings.Join(append(p.Where, p.Notes...), "; "))
		case p.Found():
			out.Open = append(out.Open, c.ID)
			r.set(c.ID+".answer", "yours to decide: %s", strings.Join(append(p.Where, p.Notes...), "; "))
		default:
			out.Missing = append(out.Missing, c.ID)
			r.set(c.ID+".answer", "not found: %s", prefill.Wanted(c.ID))
		}
		if c.Link = p.Link.Value; c.Link != "" {
			r.set(c.ID+".link", "%s", p.Link.Where)
		}
		if p.Evidence != nil {
			c.Evidence, c.CheckedAt = hashText(&p.Evidence.SHA256), &today
			r.set(c.ID+".evidence", "of %s", p.Evidence.Path)
		}
	}
	return out
}

// head says what was read.
func (ab about) head(r *remarks) {
	r.head = append(r.head, "Filled in from a repository. Each value says where it is from; look at each.",
		"\"yours to decide\": something was found; read it, and answer.",
		"\"not found\": nothing was; it says what was looked for.")
	if g := ab.repo.Git; g.Commit != "" {
		r.head = append(r.head, fmt.Sprintf("HEAD is %s (%s).", g.Commit, g.Where))
	}
	if tag, ok := ab.repo.Release(ab.purl); ok && tag.Commit != ab.repo.Git.Commit {
		r.head = append(r.head, fmt.Sprintf("HEAD IS NOT %s: what is here need not be true of it. Check it out first.", tag.Name))
	}
	r.head = append(r.head, ab.repo.Notes...)
}

// subject fills in where the name is from, and the commit of the version.
func (ab about) subject(s *draftSubject, r *remarks) {
	where := ab.from
	tag, ok := ab.repo.Release(ab.purl)
	if ok {
		where = strings.TrimPrefix(where+"; tag "+tag.Name+", "+tag.Where, "; ")
	}
	if where != "" {
		r.set("subjects.0.purl", "%s", where)
	}
	switch {
	case s.Digest != "" || !ab.purl.HasVersion():
	case tag.Commit != "":
		s.Digest = "gitCommit:" + tag.Commit
		r.set("subjects.0.digest", "the commit of tag %s; or of the artifact: sha256:<hex>, sha512:<hex>", tag.Name)
	case ok:
		r.set("subjects.0.digest", "not found: the commit of tag %s lies in a pack; git rev-parse %s^{commit} prints it for gitCommit:<hex>", tag.Name, tag.Name)
	default:
		r.set("subjects.0.digest", "not found: no tag is of this version; sha256:<hex>, sha512:<hex> or gitCommit:<hex>")
	}
}

// sayFilled says how much is left to do.
func (a *app) sayFilled(f *filled, file string) {
	if f == nil {
		return
	}
	n := len(f.Answered) + len(f.Open) + len(f.Missing)
	a.say("%d of %d points are answered by the repository", len(f.Answered), n)
	for _, row := range []struct {
		label string
		ids   []string
	}{{"answered", f.Answered}, {"yours to decide", f.Open}, {"not found", f.Missing}} {
		if len(row.ids) > 0 {
			a.say("  %-15s %s", row.label, strings.Join(row.ids, " "))
		}
	}
	a.note("Read and edit %s: every value says where it is from. Then: standing issue %s --key FILE", file, file)
}
