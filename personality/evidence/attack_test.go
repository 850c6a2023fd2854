package evidence_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/standing-log/standing/internal/jsontree"
	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/trust"
)

// changes are all the ways in which the attacker changes one value of a file;
// nil removes it. others are values that stand at the same place in other files.
func changes(at *jsontree.Tree, others []*jsontree.Tree) map[string]*jsontree.Tree {
	out := map[string]*jsontree.Tree{"remove": nil}
	for i, o := range others {
		out[fmt.Sprint("exchange ", i)] = o
	}
	switch at.Kind {
	case jsontext.KindString:
		out["empty"] = jsontree.String("")
		s := at.Text
		if len(s) > 60 {
			flipped := []byte(s)
			flipped[len(s)/2] ^= 1
			// Forty-four digits more are another hash, 43 of them no base64.
			out["flip"], out["shorter"], out["longer"] = jsontree.String(string(flipped)), jsontree.String(s[:len(s)-44]), jsontree.String(s+s[:44])
		}
	case jsontext.KindNumber:
		n, _ := strconv.Atoi(at.Text)
		for _, m := range []int{0, n - 1, n + 1, n * 2} {
			out[fmt.Sprint("number ", m)] = &jsontree.Tree{Kind: at.Kind, Text: strconv.Itoa(m)}
		}
	case jsontext.KindBeginArray:
		if n := len(at.Items); n > 1 {
			with := func(items ...*jsontree.Tree) *jsontree.Tree { return &jsontree.Tree{Kind: at.Kind, Items: items} }
			swapped := slices.Clone(at.Items)
			swapped[n/2-1], swapped[n/2] = swapped[n/2], swapped[n/2-1]
			out["swap"], out["one"], out["none"] = with(swapped...), with(at.Items[0]), with()
			out["no first"], out["no last"] = with(at.Items[1:]...), with(at.Items[:n-1]...)
			out["ends"], out["twice"] = with(at.Items[0], at.Items[n-1]), with(append(slices.Clone(at.Items), at.Items...)...)
			reversed := slices.Clone(at.Items)
			slices.Reverse(reversed)
			out["reverse"] = with(reversed...)
		}
	}
	return out
}

// attack changes every value of a file about a log that keeps the rules, in every
// way: none is confirmed.
func attack(t *testing.T, name string, file []byte, others [][]byte, p *trust.Policy) {
	t.Helper()
	tree, err := jsontree.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	var paths []map[string]*jsontree.Tree
	for _, o := range others {
		other, err := jsontree.Parse(o)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, other.Paths())
	}
	tried := 0
	tree.Walk(func(path string, at *jsontree.Tree, with func(*jsontree.Tree) []byte) {
		var there []*jsontree.Tree
		for _, p := range paths {
			if o := p[path]; o != nil && path != ".checkpoint" && path != "" {
				there = append(there, o)
			}
		}
		for how, v := range changes(at, there) {
			if path == "" && v == nil {
				continue
			}
			tried++
			if found, err := verify(with(v), p); !errors.Is(err, evidence.ErrNotProven) {
				t.Errorf("%s: %s at %s accuses an honest log: %+v, %v", name, how, path, found, err)
			}
		}
	})
	if tried < 20 {
		t.Errorf("%s: %d changes", name, tried)
	}
}

// TestFalseAccusation: from the log that keeps the rules, no part of a would-be
// file can be left out, exchanged, repeated or put elsewhere so that the log is
// accused; not even with parts of what liars signed.
func TestFalseAccusation(t *testing.T) {
	w := golden(t, "log.jsonl")
	seals := w.live(len(w.leaves))
	var others [][]byte
	for name, liar := range liars(t) {
		if strings.HasPrefix(name, "line-8") || strings.HasPrefix(name, "two") {
			others = append(others, liar.accuse(len(liar.leaves)-1, len(liar.leaves)))
		}
	}
	for n, at := range seals {
		if w.is[at] != "seal" || n > 2 && n%5 != 1 {
			continue
		}
		more := slices.Clone(others)
		if n > 0 {
			more = append(more, w.accuse(seals[n-1], seals[n-1]+1))
		}
		attack(t, fmt.Sprint("seal ", at), w.accuse(at, at+1), more, w.policy)
	}
	at := seals[1]
	attack(t, "under a later checkpoint", w.accuse(at, len(w.leaves)), others, w.policy)
}

// TestStrays: what looks like a seal and is not live accuses nobody, and does not
// hide the seal before it.
func TestStrays(t *testing.T) {
	w := golden(t, "log.jsonl")
	seals := w.live(len(w.leaves))
	strays := 0
	for i := range w.leaves {
		if w.is[i] != "stray" {
			continue
		}
		strays++
		first := seals[0]
		for _, s := range seals {
			if s < i {
				first = s
			}
		}
		if _, err := verify(w.file(evidence.FalseSeal(w.lie(first, i, i+1))), w.policy); err == nil || !strings.Contains(err.Error(), "end with a live seal") {
			t.Errorf("the stray at %d as the accused: %v", i, err)
		}
		l := w.lie(first, seals[slices.IndexFunc(seals, func(s int) bool { return s > i })], len(w.leaves))
		drop := i - first
		l.Leaves = slices.Concat(l.Leaves[:drop], l.Leaves[drop+1:])
		if e, err := evidence.FalseSeal(l); err == nil {
			if _, err := verify(w.file(e, nil), w.policy); err == nil {
				t.Errorf("without the stray at %d the seal after it is accused", i)
			}
		}
	}
	if strays < 3 {
		t.Fatalf("%d strays", strays)
	}
}

// TestWhoSigned: only what a key of the trust file has signed counts against its
// log.
func TestWhoSigned(t *testing.T) {
	w := liars(t)["line-8"]
	size := len(w.leaves)
	body := trust.Body{Origin: w.origin, Size: uint64(size), Root: w.root(size)}
	thief, thiefKey := key(t, w.origin, "thief")
	other, otherKey := key(t, "other.example/log", "other log")
	_, logKey := key(t, w.origin, "log")
	file := w.accuse(size-1, size)
	if _, err := verify(file, w.policy); err != nil {
		t.Fatal(err)
	}
	signed := func(cp []byte) []byte {
		l := w.lie(w.live(size - 1)[1], size-1, size)
		l.Checkpoint = cp
		return w.file(evidence.FalseSeal(l))
	}
	both := w.trust("log " + logKey + "\nlog " + otherKey + "\nquorum none\n")
	closed := func(size int) *trust.Policy {
		p, err := w.policy.Pin([]byte("close " + strings.Join(strings.Fields(trust.Body{Origin: w.origin, Size: uint64(size), Root: w.root(size)}.String()), " ") + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, c := range map[string]struct {
		file []byte
		p    *trust.Policy
	}{
		"another key":       {signed(w.sign(thief, body.String())), w.policy},
		"another log":       {signed(w.sign(other, trust.Body{Origin: "other.example/log", Size: body.Size, Root: body.Root}.String())), both},
		"not trusted":       {file, w.trust("log " + otherKey + "\nquorum none\n")},
		"key replaced":      {file, w.trust("log " + thiefKey + "\nquorum none\n")},
		"closed before":     {file, closed(size - 2)},
		"no signature":      {signed([]byte(body.String())), w.policy},
		"smaller":           {signed(w.checkpoint(size - 1)), w.policy},
		"without its leaf":  {signed(w.checkpoint(size - 2)), w.policy},
		"root at that size": {signed(w.sign(w.signer, trust.Body{Origin: w.origin, Size: uint64(size), Root: w.root(size - 1)}.String())), w.policy},
	} {
		if found, err := verify(c.file, c.p); !errors.Is(err, evidence.ErrNotProven) {
			t.Errorf("%s: %+v %v", name, found, err)
		}
	}
}

// TestSplitView: two signed trees that exclude each other, of one size and of two,
// are proven; two that do not, are not, whatever is changed in the file.
func TestSplitView(t *testing.T) {
	w := golden(t, "log.jsonl")
	forked := func(size int) []byte {
		root := w.root(size)
		root[0] ^= 1
		return w.sign(w.signer, trust.Body{Origin: w.origin, Size: uint64(size), Root: root}.String())
	}
	for name, file := range map[string][]byte{
		"same size":      w.file(evidence.SplitView(w.checkpoint(8), forked(8), hash{}, nil), nil),
		"smaller forked": w.file(evidence.SplitView(forked(8), w.checkpoint(21), w.root(8), w.path(8, 21)), nil),
		"no power of 2":  w.file(evidence.SplitView(forked(7), w.checkpoint(21), w.root(7), w.path(7, 21)), nil),
	} {
		found, err := verify(file, w.policy)
		if err != nil || found.Kind != evidence.KindSplitView || found.Index > 8 || len(found.Signed) != 2 {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
	honest := map[string][]byte{}
	for _, sizes := range [][2]int{{8, 8}, {8, 21}, {7, 21}, {20, 21}, {1, 300}} {
		honest[fmt.Sprint(sizes)] = w.file(evidence.SplitView(w.checkpoint(sizes[0]), w.checkpoint(sizes[1]), w.root(sizes[0]), w.path(sizes[0], sizes[1])), nil)
	}
	for name, file := range honest {
		var others [][]byte
		for _, o := range honest {
			others = append(others, o)
		}
		attack(t, name, file, others, w.policy)
	}
	// The wrong way round; an empty tree; another root than the proof gives.
	for name, e := range map[string]*evidence.Evidence{
		"larger first": evidence.SplitView(w.checkpoint(21), w.checkpoint(8), w.root(8), w.path(8, 21)),
		"empty":        evidence.SplitView(w.sign(w.signer, trust.Body{Origin: w.origin}.String()), w.checkpoint(8), w.root(3), nil),
		"root":         evidence.SplitView(w.checkpoint(8), w.checkpoint(21), w.root(9), w.path(8, 21)),
		"root of 9":    evidence.SplitView(w.checkpoint(8), w.checkpoint(21), w.root(9), w.path(9, 21)),
	} {
		if found, err := verify(w.file(e, nil), w.policy); !errors.Is(err, evidence.ErrNotProven) {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
}

// TestBrokenPromise: another leaf at the index that was promised is proven; the
// leaf that was promised, one at another index, and a promise that the log has
// not signed, prove nothing.
func TestBrokenPromise(t *testing.T) {
	w := golden(t, "log.jsonl")
	promised := func(index int, of hash) []byte {
		p := promise.Promise{Origin: w.origin, ID: "att:" + strings.Repeat("0a", 32), LeafHash: of, Index: uint64(index), Size: uint64(index) + 2}
		return w.promise(w.signer, p)
	}
	made := func(p []byte, index, size int) []byte {
		return w.file(evidence.BrokenPromise(p, w.checkpoint(size), w.leafHash(index), w.inclusion(index, size)), nil)
	}
	found, err := verify(made(promised(6, hash{1}), 6, 21), w.policy)
	if err != nil || found.Kind != evidence.KindBrokenPromise || found.Index != 6 {
		t.Errorf("%+v, %v", found, err)
	}
	kept := made(promised(6, w.leafHash(6)), 6, 21)
	attack(t, "kept", kept, [][]byte{made(promised(7, w.leafHash(7)), 7, 21), made(promised(6, w.leafHash(6)), 6, 8)}, w.policy)
	thief, _ := key(t, w.origin, "thief")
	for name, file := range map[string][]byte{
		"another index":       made(promised(6, hash{1}), 7, 21),
		"not there yet":       made(promised(21, hash{1}), 6, 21),
		"another key":         made(w.promise(thief, promise.Promise{Origin: w.origin, ID: "att:" + strings.Repeat("0a", 32), LeafHash: hash{1}, Index: 6, Size: 8}), 6, 21),
		"a checkpoint for it": w.file(evidence.BrokenPromise(w.checkpoint(8), w.checkpoint(21), w.leafHash(6), w.inclusion(6, 21)), nil),
		"it for a checkpoint": w.file(evidence.BrokenPromise(promised(6, hash{1}), promised(6, hash{1}), w.leafHash(6), w.inclusion(6, 21)), nil),
	} {
		if found, err := verify(file, w.policy); !errors.Is(err, evidence.ErrNotProven) {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
}
