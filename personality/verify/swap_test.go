package verify_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/jsontree"
	"github.com/standing-log/standing/personality/verify"
)

// class is what may become of a bundle in which one thing was changed.
type class int

const (
	// refused: the whole, or the one attestation, is INVALID.
	refused class = iota
	// same: the change means nothing, and every verdict is what it was.
	same
	// fewer: what is left is true, if it is not refused: each attestation that
	// is still there has the verdict that it had.
	fewer
)

// meaningless lists every change that a reader may not notice; all others are
// refused. A row is used when path and op both match.
var meaningless = []struct {
	path, op string
	want     class
	why      string
}{
	{`^$`, `^reverse`, same, "JSON objects have no order"},
	{`^\.(seal|(attestations|keys|parties|programmes|causes|subjects|opened)\[\d\])$`, `^reverse`, same, "JSON objects have no order"},
	{`\.entry$`, `^reverse`, same, "an entry is made canonical again"},
	{`\.entry\.signatures\[0\]$`, `^reverse`, same, "an entry is made canonical again"},
	{`^\.(attestations|keys|parties|programmes|causes|subjects|opened)$`, `^reverse`, same, "the order of parts says nothing"},
	{`^\.(programmes|causes)(\[\d\])?$`, `^remove$`, same, "programmes and causes may be absent"},
	{`^\.(programmes|causes)$`, `^replace by \[\]$`, same, "programmes and causes may be absent"},
	{`^\.checkpoint$`, `^unused bits`, same, "signed notes do not say that base64 is canonical"},
	{`^\.attestations\[\d\]$`, `^remove$`, fewer, "the rest is a bundle of the rest"},
	{`^\.attestations(\[\d\])?$`, `^swap: `, fewer, "another attestation of the same signer at the same checkpoint"},
	{`^\.(subjects|opened)(\[\d\])?$`, `^(remove|replace by \[\])$`, fewer, "what is not shown is not said"},
	{`^\.subjects\[\d\]\.events$`, `^remove$`, fewer, "a list may be too long to be shown"},
	{`^\.subjects(\[\d\])?$`, `^swap: `, fewer, "another subject at the same checkpoint"},
	{`^\.opened(\[\d\])?$`, `^swap: `, fewer, "another attestation that the lists name"},
}

// truth is what honest bundles say, by checkpoint: of each attestation its
// verdict, of each subject which attestations are all.
type truth map[string]map[string]string

// said returns what a report says.
func said(r *verify.Report) map[string]string {
	all := map[string]string{}
	for _, a := range r.Results {
		if a.Verdict != verify.Invalid {
			all[a.ID] = a.Verdict.String()
		}
	}
	for _, s := range r.Subjects {
		if s.Incomplete == "" {
			all[s.Data] = fmt.Sprintf("%x", s.Events)
		}
	}
	return all
}

func (w truth) add(t testing.TB, file []byte, o verify.Options) {
	t.Helper()
	r := verify.Bundle(file, o)
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	at := string(r.Root[:])
	if w[at] == nil {
		w[at] = map[string]string{}
	}
	maps.Copy(w[at], said(r))
}

// classify returns what became of a changed file; lie says that it says what no
// honest bundle does.
func (w truth) classify(r *verify.Report, before map[string]string) (got class, lie string) {
	if r.Err == nil && len(r.Results)+len(r.Subjects) == 0 {
		return refused, "no error and no result"
	}
	now := said(r)
	for what, says := range now {
		if want, ok := w[string(r.Root[:])][what]; !ok || want != says {
			lie = fmt.Sprintf("%s is %v, want %v", what, says, want)
		}
	}
	// What is not shown is no good news.
	if slices.ContainsFunc(r.Subjects, func(s verify.Subject) bool { return s.Incomplete != "" }) && r.ExitCode(true) == 0 {
		lie = "exit code 0 for what is not shown to be all"
	}
	switch {
	case r.Verdict == verify.Invalid:
		return refused, lie
	case maps.Equal(now, before):
		return same, lie
	}
	return fewer, lie
}

func tree(t testing.TB, file []byte) *jsontree.Tree {
	t.Helper()
	root, err := jsontree.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// swapper applies changes to one bundle.
type swapper struct {
	*testing.T
	truth  truth
	reader verify.Options
	before map[string]string   // what the unchanged bundle says
	rows   [][2]*regexp.Regexp // of meaningless: path and op
	used   []bool              // of the rows
	count  int
}

// try judges the file with value in place of what stands at path.
func (s *swapper) try(path, op string, with func(*jsontree.Tree) []byte, value *jsontree.Tree) {
	s.Helper()
	if s.count++; s.count%every != 0 {
		return
	}
	r := verify.Bundle(with(value), s.reader)
	got, lie := s.truth.classify(r, s.before)
	if lie != "" {
		s.Errorf("%s, %s: %s", path, op, lie)
	}
	want := refused
	for i, row := range meaningless {
		if s.rows[i][0].MatchString(path) && s.rows[i][1].MatchString(op) {
			want, s.used[i] = row.want, s.used[i] || got != refused
		}
	}
	if got != want && (want != fewer || got == refused && lie != "") {
		s.Errorf("%s, %s: class %d (%v, %v), want %d", path, op, got, r.Verdict, r.Err, want)
	}
}

// TestSwap changes one thing after the other in real bundles: each value is
// replaced by that of other bundles, spoilt, removed, doubled, reordered and
// renamed. The oracle is the verdicts of the unchanged bundles.
func TestSwap(t *testing.T) {
	s, foreign := newScene(t, origin), newScene(t, "log.example/other")
	honest := truth{}
	honest.add(t, s.early, s.Reader())
	s.releases()
	foreign.releases()
	all, none := s.answer(release+"@1.0"), s.answer("pkg:generic/none@1.0")
	for _, file := range [][]byte{all, none, s.answer(release), s.answer(release + "@2.0"), s.answer("pkg:generic/of-another@1.0"), s.answer("pkg:generic/active@9.0")} {
		honest.add(t, file, s.Reader())
	}
	for name := range s.att {
		honest.add(t, s.bundle(name), s.Reader())
	}
	used := make([]bool, len(meaningless))
	var rows [][2]*regexp.Regexp
	for _, row := range meaningless {
		rows = append(rows, [2]*regexp.Regexp{regexp.MustCompile(row.path), regexp.MustCompile(row.op)})
	}
	for _, tt := range []struct {
		name   string
		file   []byte
		stride int // of characters that are spoilt in strings
		donors map[string][]byte
	}{
		{"active", s.bundle("active"), 2, map[string][]byte{
			"of the same signer": s.bundle("successor"), "of another party": s.bundle("of another"),
			"earlier": s.early, "another log": foreign.bundle("active"), "several": s.bundle("revoked", "of another", "active"),
		}},
		{"revoked", s.bundle("void and revoked"), 5, map[string][]byte{
			"of another key": s.bundle("revoked"), "void": s.bundle("void"), "active": s.bundle("active"),
			"earlier": s.early, "another log": foreign.bundle("void and revoked"),
		}},
		{"several", s.bundle("revoked", "of another", "active"), 97, map[string][]byte{
			"others": s.bundle("held", "of ended party", "reinstated"), "earlier": s.early,
			"another log": foreign.bundle("revoked", "of another", "active"),
		}},
		{"programme", s.bundle("withdrawn by the operator"), 7, map[string][]byte{
			"standing": s.bundle("under a programme"), "partial": s.bundle("partial"), "revoked": s.bundle("revoked"),
			"another log": foreign.bundle("withdrawn by the operator"),
		}},
		{"all kinds", s.bundle("under a programme", "partial", "in range of its package"), 97, map[string][]byte{
			"others": s.bundle("withdrawn by the operator", "partial and held", "in range"), "earlier": s.early,
			"another log": foreign.bundle("under a programme", "partial", "in range of its package"),
		}},
		{"all of a component", all, 11, map[string][]byte{
			"another version": s.answer(release + "@2.0"), "none": none, "the package": s.answer(release),
			"of another": s.answer("pkg:generic/of-another@1.0"), "another log": foreign.answer(release + "@1.0"),
		}},
		{"none", none, 3, map[string][]byte{
			"another none": s.answer("pkg:generic/active@9.0"), "all": all, "another log": foreign.answer("pkg:generic/none@1.0"),
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &swapper{T: t, truth: honest, reader: s.Reader(), rows: rows, used: used}
			w.before = said(verify.Bundle(tt.file, w.reader))
			root := tree(t, tt.file)
			if !bytes.Equal(root.Bytes(), tt.file) {
				t.Fatal("a bundle is not written as it was read")
			}
			donors := map[string]map[string]*jsontree.Tree{}
			for name, donor := range tt.donors {
				donors[name] = tree(t, donor).Paths()
			}
			root.Walk(func(path string, at *jsontree.Tree, with func(*jsontree.Tree) []byte) {
				w.swap(path, at, with, donors)
				w.spoil(path, at, with, tt.stride)
				w.shape(path, at, with)
			})
			t.Logf("%d changes", w.count)
		})
	}
	for i, row := range meaningless {
		if every == 1 && !used[i] {
			t.Errorf("nothing shows that %q, %q is accepted: %s", row.path, row.op, row.why)
		}
	}
}

// swap replaces a value by the one at the same place of other bundles.
func (s *swapper) swap(path string, at *jsontree.Tree, with func(*jsontree.Tree) []byte, donors map[string]map[string]*jsontree.Tree) {
	for name, donor := range donors {
		if path != "" && donor[path] != nil && !bytes.Equal(donor[path].Bytes(), at.Bytes()) {
			s.try(path, "swap: "+name, with, donor[path])
		}
	}
}

// spoil changes a scalar a little: each stride-th character of a string, its
// lines, and a number by one.
func (s *swapper) spoil(path string, at *jsontree.Tree, with func(*jsontree.Tree) []byte, stride int) {
	switch at.Kind {
	case '0':
		var n uint64
		if _, err := fmt.Sscan(at.Text, &n); err != nil {
			s.Fatal(err)
		}
		for _, v := range []string{fmt.Sprint(n + 1), fmt.Sprint(n - 1), "0", fmt.Sprint(n + 1<<32), fmt.Sprint(n + 1<<63), at.Text + ".0", at.Text + "e0", "-" + at.Text} {
			if v != at.Text {
				s.try(path, "number "+v, with, &jsontree.Tree{Kind: '0', Text: v})
			}
		}
	case '"':
		text := []rune(at.Text)
		if path == ".checkpoint" {
			stride = 1
		}
		for i := 0; i < len(text); i += stride {
			spoilt := slices.Clone(text)
			if spoilt[i] ^= 1; path == ".checkpoint" && i+1 < len(text) && text[i+1] == '=' {
				spoilt[i] = text[i] + 1 // the next digit of base64
			}
			op := fmt.Sprintf("character %d", i)
			if path == ".checkpoint" && slices.EqualFunc(signatures(string(spoilt)), signatures(at.Text), bytes.Equal) {
				op = "unused bits in " + op
			}
			s.try(path, op, with, jsontree.String(string(spoilt)))
		}
		for i := 0; i < len(text); i += max(stride, len(text)/8) {
			s.try(path, fmt.Sprintf("cut at %d", i), with, jsontree.String(string(text[:i])))
			s.try(path, fmt.Sprintf("without character %d", i), with, jsontree.String(string(slices.Delete(slices.Clone(text), i, i+1))))
			s.try(path, fmt.Sprintf("upper case from %d", i), with, upper(at.Text, string(text[:i])))
		}
		s.try(path, "longer", with, jsontree.String(at.Text+"A"))
		s.try(path, "longer by a line", with, jsontree.String(at.Text+"\n"))
		s.try(path, "longer by 32 bytes", with, jsontree.String(at.Text+"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="))
		s.lines(path, at, with)
	}
}

// signatures returns the bytes of a checkpoint's signature lines, and what else
// there is as it is.
func signatures(checkpoint string) (all [][]byte) {
	for line := range strings.Lines(checkpoint) {
		i := strings.LastIndex(line, " ") + 1
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(line[i:], "\n"))
		if err != nil || !strings.HasPrefix(line, "— ") {
			i, raw = len(line), nil
		}
		all = append(all, []byte(line[:i]), raw)
	}
	return all
}

// upper writes what is behind head in upper case, or spoils it if that is
// nothing new.
func upper(text, head string) *jsontree.Tree {
	u := head + strings.ToUpper(text[len(head):])
	if u == text {
		u += "0"
	}
	return jsontree.String(u)
}

// lines removes, doubles and swaps the lines of a checkpoint or seal.
func (s *swapper) lines(path string, at *jsontree.Tree, with func(*jsontree.Tree) []byte) {
	lines := strings.SplitAfter(strings.TrimSuffix(at.Text, "\n"), "\n")
	if len(lines) < 2 {
		return
	}
	lines[len(lines)-1] += "\n"
	for i := range lines {
		s.try(path, fmt.Sprintf("line %d removed", i+1), with, jsontree.String(strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "")))
		if twice := strings.Join(slices.Insert(slices.Clone(lines), i, lines[i]), ""); !s.signatureTwice(path, lines[i]) {
			s.try(path, fmt.Sprintf("line %d twice", i+1), with, jsontree.String(twice))
		}
		for j := range i {
			c := slices.Clone(lines)
			if c[i], c[j] = c[j], c[i]; c[i] != c[j] && !(strings.HasPrefix(c[i], "— ") && strings.HasPrefix(c[j], "— ")) {
				s.try(path, fmt.Sprintf("lines %d and %d swapped", j+1, i+1), with, jsontree.String(strings.Join(c, "")))
			}
		}
	}
}

// signatureTwice says that a line is one of those which TestSignatureLines
// looks at.
func (s *swapper) signatureTwice(path, line string) bool {
	return path == ".checkpoint" && strings.HasPrefix(line, "— ")
}

// shape removes, doubles, reorders, renames, and puts other types in.
func (s *swapper) shape(path string, at *jsontree.Tree, with func(*jsontree.Tree) []byte) {
	if path != "" {
		s.try(path, "remove", with, nil)
	}
	for _, v := range []*jsontree.Tree{{Kind: 'n', Text: "null"}, {Kind: 't', Text: "true"}, jsontree.String(""), {Kind: '0', Text: "0"}, {Kind: '['}, {Kind: '{'}} {
		if b := v.Bytes(); !bytes.Equal(b, at.Bytes()) {
			s.try(path, fmt.Sprintf("replace by %s", b), with, v)
		}
	}
	if at.Kind == '{' {
		c := at.Clone()
		c.Names, c.Items = append(c.Names, "x-note"), append(c.Items, jsontree.String("hello"))
		s.try(path, "one more member", with, c)
	}
	for i, item := range at.Items {
		c := at.Clone()
		c.Items = slices.Insert(c.Items, i, item)
		if at.Kind == '{' {
			c.Names = slices.Insert(c.Names, i, at.Names[i])
			renamed := at.Clone()
			renamed.Names[i] = strings.ToUpper(at.Names[i][:1]) + at.Names[i][1:]
			s.try(path, "renamed "+renamed.Names[i], with, renamed)
		}
		s.try(path, fmt.Sprintf("item %d twice", i), with, c)
	}
	if len(at.Items) > 1 {
		c := at.Clone()
		slices.Reverse(c.Items)
		slices.Reverse(c.Names)
		s.try(path, "reverse", with, c)
	}
}
