package evidence_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/statusmap"
	"github.com/standing-log/standing/personality/trust"
)

type hash = [32]byte

var now = time.Unix(1_795_100_000, 0)

// key makes a note key from a seed.
func key(tb testing.TB, name, seed string) (note.Signer, string) {
	tb.Helper()
	digest := sha256.Sum256([]byte(seed))
	skey, vkey, err := note.GenerateKey(strings.NewReader(string(digest[:])), name)
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		tb.Fatal(err)
	}
	return signer, vkey
}

// world is a log with all of its states, kept in the simplest way.
type world struct {
	testing.TB
	origin string
	signer note.Signer
	policy *trust.Policy
	leaves [][]byte
	is     []string // what each is in the golden log
	line   int      // of the false seal at the end, if there is one
	stored []tlog.Hash
	states []state // before each leaf
}

// state is an evidence.State: the map, written out.
type state struct {
	w       *world
	records map[hash]rec
	keys    map[hash][]byte
	list    []byte // withdrawals
}

type rec struct {
	vh     hash
	record []byte
	peaks  []hash
}

// golden reads a golden log.
func golden(tb testing.TB, path string) *world {
	tb.Helper()
	b, err := os.ReadFile("../../testdata/golden/" + path)
	if err != nil {
		tb.Fatal(err)
	}
	w := &world{TB: tb}
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(nil, len(b))
	for sc.Scan() {
		var l struct {
			Origin, Is string
			Line       int
			Leaf       *string
			Leaf64     []byte
		}
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			tb.Fatal(err)
		}
		switch {
		case l.Origin != "":
			w.found(l.Origin)
			continue
		case l.Leaf != nil:
			l.Leaf64 = []byte(*l.Leaf)
		}
		w.add(l.Leaf64, l.Is)
		w.line = l.Line
	}
	return w
}

func (w *world) found(origin string) {
	var vkey string
	w.origin = origin
	w.signer, vkey = key(w, origin, "log")
	w.policy = w.trust("log " + vkey + "\nquorum none\n")
	w.states = []state{{w, map[hash]rec{}, map[hash][]byte{}, nil}}
}

func (w *world) trust(text string) *trust.Policy {
	w.Helper()
	p, err := trust.Parse([]byte(text))
	if err != nil {
		w.Fatal(err)
	}
	return p
}

func (w *world) add(leaf []byte, is string) {
	w.Helper()
	index := len(w.leaves)
	h, err := tlog.StoredHashes(int64(index), leaf, w.hashes())
	if err != nil {
		w.Fatal(err)
	}
	w.leaves, w.is, w.stored = append(w.leaves, leaf), append(w.is, is), append(w.stored, h...)
	w.states = append(w.states, w.states[index].step(leaf, uint64(index)))
}

// truncate drops the leaves from n on.
func (w *world) truncate(n int) {
	w.leaves, w.is, w.states = w.leaves[:n], w.is[:n], w.states[:n+1]
	w.stored = w.stored[:tlog.StoredHashCount(int64(n))]
}

func (w *world) hashes() tlog.HashReaderFunc {
	return func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = w.stored[x]
		}
		return out, nil
	}
}

// step returns the state after a leaf.
func (s state) step(leaf []byte, index uint64) state {
	w, err := mapfn.Step(s.w.origin, leaf, index, s, s)
	if err != nil && reason.CodeOf(err) == "" && s.w.is[index] != "stop" {
		s.w.Fatal(err)
	}
	if w == nil {
		return s
	}
	s.records, s.keys = maps.Clone(s.records), maps.Clone(s.keys)
	for _, c := range w.Changes {
		s.records[statusmap.Key(byte(c.NS), c.Data)] = rec{statusmap.ValueHash(byte(c.NS), c.Record), c.Record, c.Peaks}
	}
	e, err := entry.Parse(leaf)
	if err != nil {
		s.w.Fatal(err)
	}
	for _, k := range e.NewKeys() {
		s.keys[k.ID()] = k.SPKI()
	}
	for _, wd := range w.Withdrawals {
		s.list = wd.Append(s.list[:len(s.list):len(s.list)])
	}
	return s
}

func (s state) Record(ns mapfn.NS, data []byte) ([]byte, error) {
	return s.records[statusmap.Key(byte(ns), data)].record, nil
}

func (s state) Peaks(ns mapfn.NS, data []byte) ([]hash, error) {
	return s.records[statusmap.Key(byte(ns), data)].peaks, nil
}

func (s state) Leaf(index uint64, want hash) ([]byte, error) {
	if index < uint64(len(s.w.leaves)) && hash(rfc6962.DefaultHasher.HashLeaf(s.w.leaves[index])) == want {
		return s.w.leaves[index], nil
	}
	return nil, mapfn.ErrNoLeaf
}

func (s state) SPKI(id hash) ([]byte, error) { return s.keys[id], nil }

func (s state) Prove(ns mapfn.NS, data []byte) ([]byte, statusmap.Proof, error) {
	whole := map[hash]hash{}
	for k, r := range s.records {
		whole[k] = r.vh
	}
	key := statusmap.Key(byte(ns), data)
	return s.records[key].record, statusmap.Prove(whole, key), nil
}

// peaks returns the perfect subtrees of a list of n leaves, from left to right.
func peaks(n int, leaf func(int) hash) []hash {
	var out []hash
	for first := 0; n > 0; {
		size := 1
		for size*2 <= n {
			size *= 2
		}
		out = append(out, subtree(first, size, leaf))
		first, n = first+size, n-size
	}
	return out
}

func subtree(first, size int, leaf func(int) hash) hash {
	if size == 1 {
		return leaf(first)
	}
	l, r := subtree(first, size/2, leaf), subtree(first+size/2, size/2, leaf)
	return hash(rfc6962.DefaultHasher.HashChildren(l[:], r[:]))
}

func (s state) listPeaks() []hash {
	return peaks(len(s.list)/mapfn.WithdrawalSize, func(i int) hash {
		return hash(rfc6962.DefaultHasher.HashLeaf(s.list[i*mapfn.WithdrawalSize : (i+1)*mapfn.WithdrawalSize]))
	})
}

func (w *world) root(size int) hash {
	h, err := tlog.TreeHash(int64(size), w.hashes())
	if err != nil {
		w.Fatal(err)
	}
	return hash(h)
}

func (w *world) checkpoint(size int) []byte {
	return w.sign(w.signer, trust.Body{Origin: w.origin, Size: uint64(size), Root: w.root(size)}.String())
}

func (w *world) sign(s note.Signer, text string) []byte {
	w.Helper()
	b, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		w.Fatal(err)
	}
	return b
}

// path is the consistency proof from size to to.
func (w *world) path(size, to int) []hash {
	w.Helper()
	if size == to {
		return nil
	}
	proof, err := tlog.ProveTree(int64(to), int64(size), w.hashes())
	if err != nil {
		w.Fatal(err)
	}
	out := make([]hash, len(proof))
	for i := range proof {
		out[i] = hash(proof[i])
	}
	return out
}

// live lists the live seals before a leaf.
func (w *world) live(before int) (at []int) {
	for i := range before {
		if _, ok := seal.Live(w.leaves[i], w.origin, uint64(i), w.root(i)); ok {
			at = append(at, i)
		}
	}
	return at
}

// lie accuses the leaf at accused, after the one at first, under the checkpoint
// at size.
func (w *world) lie(first, accused, size int) evidence.Lie {
	l := evidence.Lie{
		Origin: w.origin, Checkpoint: w.checkpoint(size), First: uint64(first), Leaves: w.leaves[first : accused+1],
		Prefix: peaks(first, w.leafHash),
		Path:   w.path(accused+1, size),
	}
	if first > 0 {
		l.Before, l.Withdrawals = w.states[first], w.states[first].listPeaks()
	}
	return l
}

// accuse makes the file about a leaf, and the live seal before it.
func (w *world) accuse(accused, size int) []byte {
	w.Helper()
	first := 0
	if all := w.live(accused); len(all) > 0 {
		first = all[len(all)-1]
	}
	return w.file(evidence.FalseSeal(w.lie(first, accused, size)))
}

func (w *world) file(e *evidence.Evidence, err error) []byte {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	b, err := e.Marshal()
	if err != nil {
		w.Fatal(err)
	}
	return b
}

func verify(file []byte, p *trust.Policy) (*evidence.Finding, error) {
	e, err := evidence.Parse(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", evidence.ErrNotProven, err)
	}
	return e.Verify(p, now)
}

func (w *world) leafHash(i int) hash { return hash(rfc6962.DefaultHasher.HashLeaf(w.leaves[i])) }

func (w *world) inclusion(index, size int) []hash {
	w.Helper()
	proof, err := tlog.ProveRecord(int64(size), int64(index), w.hashes())
	if err != nil {
		w.Fatal(err)
	}
	out := make([]hash, len(proof))
	for i := range proof {
		out[i] = hash(proof[i])
	}
	return out
}

func (w *world) promise(s note.Signer, p promise.Promise) []byte {
	w.Helper()
	files, err := promise.Sign(s, p)
	if err != nil {
		w.Fatal(err)
	}
	return files[0]
}
