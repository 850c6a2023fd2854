package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/jsontree"
	"github.com/standing-log/standing/internal/report"
	"github.com/standing-log/standing/internal/testlog"
)

func tree(t testing.TB, data []byte) *jsontree.Tree {
	t.Helper()
	root, err := jsontree.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// field returns a member of a report as it is written.
func field(t testing.TB, data []byte, name string) string {
	t.Helper()
	at := tree(t, data).Paths()["."+name]
	if at == nil {
		t.Fatalf("no member %s", name)
	}
	return string(at.Bytes())
}

func quote(t testing.TB, s string) []byte {
	t.Helper()
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// truth is what a report may say about a component: its label, by the root of
// the log that it is shown by.
type truth map[string]string

func (w truth) add(r *check.Result) {
	for what, says := range said(r) {
		w[what] = says
	}
}

// said is what a result says of each component, with what it is looked up by and
// when.
func said(r *check.Result) map[string]string {
	out := map[string]string{}
	for _, c := range r.Components {
		var shown []string
		for _, l := range r.Logs {
			shown = append(shown, fmt.Sprintf("%s %s %s", l.Origin, l.Root, l.Verdict))
		}
		says := c.Verdict
		for _, a := range c.Attestations {
			says += " " + a.ID + " " + a.Verdict
		}
		out[fmt.Sprint(c.LookedUp, shown)] = says
	}
	return out
}

// TestSwap changes one field after the other of a report: each is replaced by
// that of other reports, spoilt, removed, doubled and reordered. Each change is
// refused; and with a digest that was made to fit, it is refused or says of no
// component what honest reports do not say.
func TestSwap(t *testing.T) {
	s := newScene(t, origin)
	early := s.saved()
	honest := truth{}
	honest.add(open(t, early).Result)
	s.Advance(time.Hour)
	s.Submit(testlog.Attest(s.key, testlog.Claims(origin, s.Unix(), 2), testlog.Component("pkg:npm/none@1.0.0")))
	data := s.saved()
	honest.add(open(t, data).Result)
	other := newScene(t, "log.example/another").saved()
	donors := []map[string]*jsontree.Tree{tree(t, early).Paths(), tree(t, other).Paths()}
	root := tree(t, data)
	if !bytes.Equal(root.Bytes(), data) {
		t.Fatal("a report is not written as it was read")
	}
	changes, held := 0, 0
	try := func(path, op string, file []byte) {
		changes++
		if _, err := report.Open(file); !errors.Is(err, report.ErrMalformed) {
			t.Errorf("%s, %s: %v", path, op, err)
		}
		r, err := report.Open(report.Sign(file))
		if err != nil {
			return
		}
		held++
		for what, says := range said(r.Result) {
			if want, ok := honest[what]; ok && says != want {
				t.Errorf("%s, %s: of %s it says %s, not %s", path, op, what, says, want)
			}
		}
	}
	n := 0
	root.Walk(func(path string, at *jsontree.Tree, with func(*jsontree.Tree) []byte) {
		if path == "" {
			return
		}
		// Package verify swaps all that is in bundles: here, each of them a little.
		deep := len(path) > len(".logs[0].bundles[0].") && path[:len(".logs[0].bundles[")] == ".logs[0].bundles["
		if n++; deep && n%every != 0 {
			return
		}
		try(path, "removed", with(nil))
		for _, donor := range donors {
			if d := donor[path]; d != nil && !bytes.Equal(d.Bytes(), at.Bytes()) {
				try(path, "another report's", with(d))
			}
		}
		for _, v := range []*jsontree.Tree{{Kind: 'n', Text: "null"}, {Kind: 't', Text: "true"}, jsontree.String(""), jsontree.String("ACTIVE"), {Kind: '0', Text: "0"}, {Kind: '['}, {Kind: '{'}} {
			if !bytes.Equal(v.Bytes(), at.Bytes()) {
				try(path, "replaced by "+string(v.Bytes()), with(v))
			}
		}
		if at.Kind == '"' {
			for i := 0; i < len(at.Text); i += 1 + len(at.Text)/4 {
				spoilt := []byte(at.Text)
				spoilt[i] ^= 1
				try(path, fmt.Sprintf("character %d", i), with(jsontree.String(string(spoilt))))
			}
		}
		if at.Kind == '[' && len(at.Items) > 0 {
			c := at.Clone()
			c.Items = append(c.Items, c.Items[0])
			try(path, "first item twice", with(c))
			if len(c.Items) > 2 {
				c = at.Clone()
				c.Items[0], c.Items[1] = c.Items[1], c.Items[0]
				try(path, "two items swapped", with(c))
			}
		}
	})
	if held == 0 {
		t.Error("with a digest that fits, everything is refused: nothing was compared")
	}
	t.Logf("%d changes, %d of which hold with another digest", changes, held)
}

// every is which of the values in bundles are swapped.
const every = 9
