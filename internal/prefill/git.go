package prefill

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// Git is what git's files say.
type Git struct {
	Commit string // HEAD, in hex; "" if there is none
	Where  string // of Commit
	Remote Fact   // web address of origin, without credentials
	Tags   []Tag  // those that begin or end in a version, in order of version
}

// Tag is a tag of a version.
type Tag struct {
	Name   string
	Commit string // "" if only git itself could tell
	Where  string
}

var (
	objectID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	tagName  = regexp.MustCompile(`^[A-Za-z0-9._+@/-]{1,128}$`)
)

// readGit reads .git. A .git that is no directory here belongs to a repository
// elsewhere, which is not followed.
func readGit(t *tree) Git {
	info, err := t.root.Lstat(".git")
	if err != nil {
		return Git{}
	}
	if !info.IsDir() {
		t.note(".git is no directory: its repository is elsewhere and was not read")
		return Git{}
	}
	if t.list(".git/reftable") != nil {
		t.note("git keeps its references in a reftable, which is not read")
	}
	refs := readRefs(t)
	var g Git
	g.Commit, g.Where = refs.head(t)
	g.Remote = readRemote(t)
	for name, ref := range refs {
		tag, ok := strings.CutPrefix(name, "refs/tags/")
		if !ok || !tagName.MatchString(tag) || versionOf(tag) == "" {
			continue
		}
		g.Tags = append(g.Tags, Tag{tag, ref.commit(t, g.Commit), ref.where})
	}
	slices.SortFunc(g.Tags, func(a, b Tag) int {
		if c := semver.Compare(semantic(a.Name), semantic(b.Name)); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return g
}

// ref is a reference: an object, and what an annotated tag there points to, if
// that is known.
type ref struct{ object, peeled, where string }

type refs map[string]ref

// readRefs reads packed-refs and the loose references that hide them.
func readRefs(t *tree) refs {
	out := refs{}
	if data, ok := t.read(".git/packed-refs", 16<<20); ok {
		out.packed(data)
	}
	for _, dir := range []string{".git/refs/tags", ".git/refs/heads"} {
		out.loose(t, dir, 0)
	}
	return out
}

// packed parses packed-refs: "object name" per line, "^object" after an
// annotated tag.
func (r refs) packed(data []byte) {
	n, last := 0, ""
	for line := range bytes.Lines(data) {
		n++
		text := strings.TrimSpace(string(line))
		if peeled, ok := strings.CutPrefix(text, "^"); ok {
			if old, known := r[last]; known && objectID.MatchString(peeled) {
				old.peeled = peeled
				r[last] = old
			}
			last = ""
			continue
		}
		object, name, _ := strings.Cut(text, " ")
		if last = ""; objectID.MatchString(object) && len(r) < maxTags {
			last = name
			r[name] = ref{object: object, where: fmt.Sprintf(".git/packed-refs:%d", n)}
		}
	}
	// What is packed without a ^ line is no annotated tag: git writes the
	// header "peeled" or "fully-peeled" to say that it looked.
	header, _, _ := bytes.Cut(data, []byte("\n"))
	if bytes.HasPrefix(header, []byte("#")) && bytes.Contains(header, []byte("peeled")) {
		for name, old := range r {
			if old.peeled == "" {
				old.peeled = old.object
				r[name] = old
			}
		}
	}
}

// loose reads the references below dir.
func (r refs) loose(t *tree, dir string, depth int) {
	if depth > 4 {
		return
	}
	for _, e := range t.list(dir) {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			r.loose(t, name, depth+1)
			continue
		}
		data, ok := t.read(name, 256)
		object := strings.TrimSpace(string(data))
		if ok && objectID.MatchString(object) && len(r) < maxTags {
			r[strings.TrimPrefix(name, ".git/")] = ref{object: object, where: name + ":1"}
		}
	}
}

// head resolves HEAD.
func (r refs) head(t *tree) (commit, where string) {
	data, ok := t.read(".git/HEAD", 4096)
	text := strings.TrimSpace(string(data))
	if !ok {
		return "", ""
	}
	if objectID.MatchString(text) {
		return text, ".git/HEAD:1"
	}
	name, _ := strings.CutPrefix(text, "ref: ")
	return r[name].object, r[name].where
}

// commit returns the commit of a reference, "" if its object lies in a pack.
func (r ref) commit(t *tree, head string) string {
	switch {
	case r.peeled != "":
		return r.peeled
	case r.object == head:
		return head
	}
	data, ok := t.read(path.Join(".git/objects", r.object[:2], r.object[2:]), maxText)
	if !ok {
		return ""
	}
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return ""
	}
	start, _ := io.ReadAll(io.LimitReader(z, 4096))
	kind, body, _ := bytes.Cut(start, []byte{0})
	if bytes.HasPrefix(kind, []byte("commit ")) {
		return r.object
	}
	object, rest, _ := strings.Cut(strings.TrimPrefix(string(body), "object "), "\n")
	if bytes.HasPrefix(kind, []byte("tag ")) && strings.HasPrefix(rest, "type commit\n") && objectID.MatchString(object) {
		return object
	}
	return ""
}

// readRemote finds the address of origin in .git/config, as plain text:
// includes and rewriting of addresses are git's business.
func readRemote(t *tree) Fact {
	data, _ := t.read(".git/config", maxText)
	inside, n := false, 0
	for line := range bytes.Lines(data) {
		n++
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "[") {
			inside = text == `[remote "origin"]`
		}
		key, value, ok := strings.Cut(text, "=")
		if inside && ok && strings.TrimSpace(key) == "url" {
			if web := webAddress(strings.TrimSpace(value)); web != "" {
				return Fact{web, fmt.Sprintf(".git/config:%d", n)}
			}
		}
	}
	return Fact{}
}

var scpLike = regexp.MustCompile(`^(?:[A-Za-z0-9._-]+@)?([A-Za-z0-9.-]+):([^/].*)$`)

// webAddress returns the https address of a remote, "" if it has none such.
// User, password and port are dropped.
func webAddress(remote string) string {
	if m := scpLike.FindStringSubmatch(remote); m != nil && !strings.Contains(remote, "://") {
		remote = "ssh://" + m[1] + "/" + m[2]
	}
	u, err := url.Parse(remote)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "ssh" && u.Scheme != "git" {
		return ""
	}
	web := "https://" + strings.ToLower(u.Hostname()) + strings.TrimSuffix(strings.TrimSuffix(u.EscapedPath(), "/"), ".git")
	if linkProblem(web) != "" {
		return ""
	}
	return web
}

// blob returns what stands between the address of a repository and the path of
// a file in it, on hosts that are known.
func (g Git) blob(revision string) string {
	u, err := url.Parse(g.Remote.Value)
	switch {
	case err != nil || revision == "":
		return ""
	case u.Host == "github.com":
		return "/blob/" + revision + "/"
	case u.Host == "gitlab.com" || strings.HasPrefix(u.Host, "gitlab."):
		return "/-/blob/" + revision + "/"
	case u.Host == "codeberg.org":
		return "/src/commit/" + revision + "/"
	}
	return ""
}

// address returns the permanent link of a file at HEAD, "" if the host is not
// known.
func (g Git) address(file string) string {
	between := g.blob(g.Commit)
	if between == "" {
		return ""
	}
	return g.Remote.Value + between + (&url.URL{Path: file}).EscapedPath()
}

// path returns the file in this repository that a link leads to, whatever the
// revision, "" if it leads elsewhere.
func (g Git) path(link string) string {
	prefix, _, _ := strings.Cut(g.blob("\x00"), "\x00")
	rest, ok := strings.CutPrefix(link, g.Remote.Value+prefix)
	if prefix == "" || !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "#")
	_, file, _ := strings.Cut(rest, "/") // a branch with a slash is not understood
	file, err := url.PathUnescape(file)
	if err != nil || !validPath(file) {
		return ""
	}
	return file
}

// validPath refuses what a comment could not hold.
func validPath(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
