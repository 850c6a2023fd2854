package prefill

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/personality/purl"
)

// Package is a component that a manifest names.
type Package struct {
	Purl    string // canonical, without version
	Version string // as the manifest says, "" if it does not
	Where   string
}

// readPackages reads the manifests at the top. What they leave out, inherit or
// compute is not guessed.
func readPackages(t *tree) (out []Package) {
	for _, m := range []struct {
		file string
		read func([]byte) manifest
	}{
		{"go.mod", readGoMod}, {"package.json", readPackageJSON}, {"Cargo.toml", readCargo},
		{"pyproject.toml", readPyproject}, {"pom.xml", readPom},
	} {
		data, ok := t.read(m.file, maxText)
		if !ok {
			continue
		}
		found := m.read(data)
		if found.name == "" {
			continue
		}
		name, err := lint.CanonicalPurl(found.name)
		if err != nil {
			t.note("%s names a component that no purl can: %v", m.file, err)
			continue
		}
		if p, err := purl.Parse(name); err != nil || p.HasVersion() {
			continue
		}
		out = append(out, Package{name, found.version, fmt.Sprintf("%s:%d", m.file, found.line)})
	}
	return out
}

// manifest is what one says: a purl in any spelling.
type manifest struct {
	name, version string
	line          int
}

func readGoMod(data []byte) manifest {
	path := modfile.ModulePath(data)
	if module.CheckPath(path) != nil {
		return manifest{}
	}
	return manifest{name: "pkg:golang/" + escapeSegments(path), line: lineWith(data, "module")}
}

// escapeSegments escapes a path for a purl, segment by segment.
func escapeSegments(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = strings.ReplaceAll(url.PathEscape(s), "@", "%40")
	}
	return strings.Join(segments, "/")
}

// lineWith returns the number of the first line that begins with a word.
func lineWith(data []byte, word string) int {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte(word)) {
			return n
		}
	}
	return 1
}

// readPackageJSON reads the members at the top; what is private is not
// published.
func readPackageJSON(data []byte) (m manifest) {
	d := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true))
	if tok, err := d.ReadToken(); err != nil || tok.Kind() != jsontext.KindBeginObject {
		return manifest{}
	}
	for d.PeekKind() == jsontext.KindString {
		key, err := d.ReadToken()
		if err != nil {
			return manifest{}
		}
		member := key.String()
		if k := d.PeekKind(); k != jsontext.KindString && k != jsontext.KindTrue {
			if d.SkipValue() != nil {
				return manifest{}
			}
			continue
		}
		value, err := d.ReadToken()
		if err != nil {
			return manifest{}
		}
		switch member {
		case "private":
			return manifest{}
		case "name":
			m.name = "pkg:npm/" + escapeSegments(value.String())
			m.line = 1 + bytes.Count(data[:d.InputOffset()], []byte("\n"))
		case "version":
			m.version = value.String()
		}
	}
	return m
}

func readCargo(data []byte) manifest {
	return readTOML(data, "pkg:cargo/", "package")
}

func readPyproject(data []byte) manifest {
	if m := readTOML(data, "pkg:pypi/", "project"); m.name != "" {
		return m
	}
	return readTOML(data, "pkg:pypi/", "tool.poetry")
}

// readTOML reads name and version of a table, where they are plain strings on
// a line of their own, which is how people write manifests.
func readTOML(data []byte, prefix, table string) (m manifest) {
	inside, n := false, 0
	for line := range bytes.Lines(data) {
		n++
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "[") {
			header, _, _ := strings.Cut(text, "#")
			inside = strings.TrimSpace(header) == "["+table+"]"
			continue
		}
		key, value, ok := strings.Cut(text, "=")
		if !inside || !ok {
			continue
		}
		switch s := tomlString(strings.TrimSpace(value)); strings.TrimSpace(key) {
		case "name":
			if s != "" {
				m.name, m.line = prefix+escapeSegments(s), n
			}
		case "version":
			m.version = s
		}
	}
	return m
}

// tomlString returns a string without escapes, "" for anything else.
func tomlString(s string) string {
	for _, quote := range []string{`"`, `'`} {
		if rest, ok := strings.CutPrefix(s, quote); ok {
			inner, after, ok := strings.Cut(rest, quote)
			after = strings.TrimSpace(after)
			if ok && !strings.Contains(inner, `\`) && (after == "" || strings.HasPrefix(after, "#")) {
				return inner
			}
		}
	}
	return ""
}

// readPom reads the coordinates of a project; the group may be its parent's.
// Properties are not expanded.
func readPom(data []byte) manifest {
	var group, parent, artifact, version string
	line := 1
	walkXML(data, func(stack []string, text string, n int) {
		is := func(path ...string) bool { return slices.Equal(stack, path) }
		switch {
		case is("project", "groupId"):
			group += text
		case is("project", "parent", "groupId"):
			parent += text
		case is("project", "artifactId"):
			artifact, line = artifact+text, n
		case is("project", "version"):
			version += text
		}
	})
	group = cmp.Or(group, parent)
	if group == "" || artifact == "" || strings.Contains(group+artifact, "${") {
		return manifest{}
	}
	if strings.Contains(version, "${") || strings.HasSuffix(version, "-SNAPSHOT") {
		version = ""
	}
	return manifest{"pkg:maven/" + escapeSegments(group) + "/" + escapeSegments(artifact), version, line}
}

// walkXML calls f with each text, the elements around it and its line, until
// something is wrong with the document.
func walkXML(data []byte, f func(stack []string, text string, line int)) {
	d := xml.NewDecoder(bytes.NewReader(data))
	var stack []string
	for len(stack) <= maxDepth {
		tok, err := d.Token()
		if err != nil {
			return
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			stack = append(stack, tok.Name.Local)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			line, _ := d.InputPos()
			f(stack, strings.TrimSpace(string(tok)), line)
		}
	}
}

// Named returns the package with the purl, as a manifest or the address of
// origin names it.
func (r *Repository) Named(p purl.Purl) (Package, bool) {
	for _, pkg := range r.Packages {
		if pkg.Purl == p.Package() {
			return pkg, true
		}
	}
	if pkg, ok := r.Hosted(); ok && pkg.Purl == p.Package() {
		return pkg, true
	}
	return Package{}, false
}

// Hosted returns the repository itself as a package of its host, by the address
// of origin.
func (r *Repository) Hosted() (Package, bool) {
	u, err := url.Parse(r.Git.Remote.Value)
	if err != nil || u.Host != "github.com" && u.Host != "bitbucket.org" {
		return Package{}, false
	}
	typ, _, _ := strings.Cut(u.Host, ".")
	name, err := lint.CanonicalPurl("pkg:" + typ + u.EscapedPath())
	if err != nil {
		return Package{}, false
	}
	return Package{Purl: name, Where: r.Git.Remote.Where}, true
}

// Release returns the tag of a version of p, if one alone can be meant.
func (r *Repository) Release(p purl.Purl) (tag Tag, ok bool) {
	want, err := url.PathUnescape(strings.TrimPrefix(p.Component(), p.Package()+"@"))
	if err != nil || !p.HasVersion() {
		return Tag{}, false
	}
	for _, t := range r.Git.Tags {
		switch v := versionOf(t.Name); {
		case t.Name == want || t.Name == "v"+want:
			return t, true
		case v != want && v != "v"+want:
		case ok && t.Commit != tag.Commit:
			return Tag{}, false
		default:
			tag, ok = t, true
		}
	}
	return tag, ok
}

// Current returns the purl of what is checked out, if it is a release: the one
// version that tags at HEAD name, which the manifest does not contradict.
func (r *Repository) Current(pkg Package) (name string, tag Tag, ok bool) {
	version := ""
	for _, t := range r.Git.Tags {
		if t.Commit == "" || t.Commit != r.Git.Commit {
			continue
		}
		if version != "" && versionOf(t.Name) != version {
			return "", Tag{}, false
		}
		tag, version = t, versionOf(t.Name)
	}
	bare := strings.TrimPrefix(version, "v")
	switch {
	case version == "" || pkg.Version != "" && pkg.Version != bare:
		return "", Tag{}, false
	case strings.HasPrefix(pkg.Purl, "pkg:golang/"):
		if !semver.IsValid(version) {
			return "", Tag{}, false
		}
	case !strings.HasPrefix(pkg.Purl, "pkg:github/"):
		version = bare
	}
	name, err := lint.CanonicalPurl(pkg.Purl + "@" + escapeSegments(version))
	return name, tag, err == nil
}

// tagged is a tag of a version: v1.2.3, 1.2, name-1.2.3, name/v1.2.3,
// name@1.2.3, with or without a word for a release before the release.
var tagged = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9._/@+-]*?[-/@_])??(v?[0-9]+(?:\.[0-9]+)+[A-Za-z0-9._+-]*)$`)

// versionOf returns the version that a tag names, "" if it names none.
func versionOf(tag string) string {
	if m := tagged.FindStringSubmatch(tag); m != nil {
		return m[1]
	}
	return ""
}

// semantic makes a tag's version comparable; what is no semantic version comes
// first.
func semantic(tag string) string { return "v" + strings.TrimPrefix(versionOf(tag), "v") }
