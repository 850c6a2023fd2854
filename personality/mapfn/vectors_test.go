package mapfn_test

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/standing-log/standing/internal/altreader"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/statusmap"
)

var update = flag.Bool("update", false, "write the vectors in testdata again")

const vectorFile = "testdata/log.json"

// logVector is testdata/log.json: a whole log for other implementations, which
// replay its leaves and must come to the same outcome at each, the same seals,
// and the same state at the end.
type logVector struct {
	About   string         `json:"about"`
	Origin  string         `json:"origin"`
	Leaves  []leafVector   `json:"leaves"`
	Map     mapVector      `json:"map"` // after the last leaf
	Records []recordVector `json:"records"`
	// Withdrawals are the records of the withdrawal list, 60 bytes in hex.
	Withdrawals []string `json:"withdrawals"`
}

type leafVector struct {
	Index int    `json:"index"`
	Leaf  []byte `json:"leaf"` // base64
	// Is is "effective", "ignored", "seal" (a live one) or "stray".
	Is string `json:"is"`
	// Code says why an ignored leaf is. Another implementation may name
	// another fault of the same leaf.
	Code reason.Code `json:"code,omitempty"`
	Map  *mapVector  `json:"map,omitempty"` // what a live seal says
}

type mapVector struct {
	Keys           int    `json:"keys"`
	Root           string `json:"root"`
	Withdrawals    int    `json:"withdrawals"`
	WithdrawalRoot string `json:"withdrawalRoot"`
}

type recordVector struct {
	NS     mapfn.NS `json:"ns"`
	Data   string   `json:"data"` // ns 1, 5 and 6: hex; 2 to 4: text
	Key    string   `json:"key"`
	Record string   `json:"record"`
	// Events are those of its list, 41 bytes each in hex.
	Events []string `json:"events,omitempty"`
}

// dataOf writes the data of a map key down.
func dataOf(ns mapfn.NS, data []byte) string {
	if ns == mapfn.NSComponent || ns == mapfn.NSPackage || ns == mapfn.NSDigest {
		return string(data)
	}
	return hex.EncodeToString(data)
}

// vectorLog makes the log. Package replay says what each leaf is; altreader
// reads the file.
type vectorLog struct {
	*testing.T
	v           logVector
	log         *replay.Log
	records     map[string]recordVector
	withdrawals [][]byte
	sealed      *seal.Seal
}

func (l *vectorLog) index() uint64 { return uint64(len(l.v.Leaves)) }

func (l *vectorLog) add(leaf []byte) replay.Outcome {
	l.Helper()
	out, err := l.log.Add(leaf)
	if err != nil {
		l.Fatal(err)
	}
	v := leafVector{Index: len(l.v.Leaves), Leaf: leaf, Is: "effective"}
	switch {
	case out.Seal != nil:
		m := l.state()
		v.Is, v.Map = "seal", &m
	case seal.Is(leaf):
		v.Is = "stray"
	case out.Ignored != nil:
		v.Is, v.Code = "ignored", reason.CodeOf(out.Ignored)
	}
	l.v.Leaves = append(l.v.Leaves, v)
	for _, c := range changes(out.Writes) {
		key, at := statusmap.Key(byte(c.NS), c.Data), place(c.NS, c.Data)
		r := recordVector{c.NS, dataOf(c.NS, c.Data), hex.EncodeToString(key[:]), string(c.Record), l.records[at].Events}
		if c.Event != nil {
			r.Events = append(r.Events, hex.EncodeToString(c.Event.Append(nil)))
		}
		l.records[at] = r
	}
	for _, x := range withdrawals(out.Writes) {
		l.withdrawals = append(l.withdrawals, x.Append(nil))
	}
	return out
}

func (l *vectorLog) state() mapVector {
	root, list := l.log.MapRoot(), listRoot(l.withdrawals)
	return mapVector{len(l.records), hex.EncodeToString(root[:]), len(l.withdrawals), hex.EncodeToString(list[:])}
}

// seal returns the seal that is due.
func (l *vectorLog) seal() *seal.Seal {
	l.Helper()
	prefix, err := l.log.Root()
	if err != nil {
		l.Fatal(err)
	}
	s := &seal.Seal{
		Origin: origin, Index: l.index(), MapFn: mapfn.Version, SealedAt: from + l.index(),
		Keys: uint64(len(l.records)), MapRoot: l.log.MapRoot(),
		Withdrawals: uint64(len(l.withdrawals)), WithdrawalRoot: listRoot(l.withdrawals), PrefixRoot: prefix,
	}
	if l.sealed != nil {
		s.Prev = &l.sealed.Index
	}
	return s
}

// strays are leaves that begin as seals do, and are none.
func (l *vectorLog) strays() [][]byte {
	old := l.sealed.Marshal()
	var out [][]byte
	for _, change := range []func(*seal.Seal){
		func(s *seal.Seal) { s.Origin = "other.example/log" },
		func(s *seal.Seal) { s.Index++ },
		func(s *seal.Seal) { s.PrefixRoot[0] ^= 1 },
	} {
		s := l.seal()
		change(s)
		out = append(out, s.Marshal())
	}
	right := l.seal().Marshal()
	return append(out, old, right[:len(right)-1], []byte("standing/seal/v2\n"))
}

// vectorSeed gives a log that has nearly everything in it.
const vectorSeed = 3339

func makeVector(t *testing.T, seed uint64) *vectorLog {
	l := &vectorLog{T: t, records: map[string]recordVector{}}
	l.v.About = "A log for map function 1. See mapfn/SPEC.md and seal/SPEC.md; written by mapfn/vectors_test.go."
	l.v.Origin = origin
	l.log = replay.New(origin, func(i uint64) ([]byte, error) { return l.v.Leaves[i].Leaf, nil })
	g := testlog.New(origin, seed)
	g.Ignored = 0.3
	strays := 0
	for batch := range 12 {
		for i := range 11 {
			if batch == 0 && i > 0 {
				break
			}
			item := g.Next(l.index())
			if out := l.add(item.Leaf); reason.CodeOf(out.Ignored) != item.Want {
				t.Fatalf("leaf %d: %v, want %q", l.index()-1, out.Ignored, item.Want)
			}
			if i == 5 && strays < 6 {
				l.add(l.strays()[strays])
				strays++
			}
		}
		if batch == 11 {
			l.last(seed)
		}
		s := l.seal()
		l.add(s.Marshal())
		l.sealed = s
	}
	l.finish()
	return l
}

// last adds what the generator has seldom: the second party publishes, amends
// and closes a programme; a range of its key is declared void, the key retired,
// then compromised, and then from earlier on; and the party ends.
func (l *vectorLog) last(seed uint64) {
	l.Helper()
	p := testlog.NewParty(fmt.Sprintf("party-%d-5", seed), 1)
	p.ID = l.party(p.Keys[0])
	k, at := p.Keys[0], l.index()
	publish := testlog.Publish(k, testlog.Rules(origin))
	for _, e := range []*entry.Entry{
		publish,
		testlog.AmendProgramme(k, publish.ID, at, testlog.Rules(origin, p.ID)),
		testlog.CloseProgramme(origin, k, publish.ID),
		testlog.VoidRange(origin, k.ID(), entry.KeyRange{From: 20, To: at, Reason: 12, Package: "pkg:npm/express"}, p.Recovery),
		testlog.RetireKey(origin, k.ID(), k),
		testlog.CompromiseKey(origin, k.ID(), nil, k),
		testlog.CompromiseKey(origin, k.ID(), index(20), p.Recovery),
		testlog.EndParty(origin, p.ID, p.Recovery),
	} {
		if out := l.add(e.Leaf); out.Ignored != nil {
			l.Fatalf("leaf %d: %v", l.index()-1, out.Ignored)
		}
	}
}

// party returns whose key k is.
func (l *vectorLog) party(k *testlog.Key) hash {
	l.Helper()
	id := k.ID()
	b, err := l.log.Record(mapfn.NSKey, id[:])
	if err != nil {
		l.Fatal(err)
	}
	r, err := mapfn.ParseKey(b)
	if err != nil {
		l.Fatal(err)
	}
	return hash(*r.Party)
}

// finish dumps the state.
func (l *vectorLog) finish() {
	l.v.Map = l.state()
	for _, r := range l.records {
		l.v.Records = append(l.v.Records, r)
	}
	slices.SortFunc(l.v.Records, func(a, b recordVector) int {
		return cmp.Or(cmp.Compare(a.NS, b.NS), cmp.Compare(a.Data, b.Data))
	})
	for _, w := range l.withdrawals {
		l.v.Withdrawals = append(l.v.Withdrawals, hex.EncodeToString(w))
	}
}

// what counts the kinds of effective entries, the codes and the rest.
func (l *vectorLog) what() map[string]int {
	out := map[string]int{}
	for _, v := range l.v.Leaves {
		if v.Is != "effective" {
			out[v.Is]++
			if v.Code != "" {
				out["code "+string(v.Code)]++
			}
			continue
		}
		e, err := entry.Parse(v.Leaf)
		if err != nil {
			l.Fatal(err)
		}
		switch {
		case e.Party != nil:
			out["party "+e.Party.Action]++
		case e.Key != nil:
			out["key "+e.Key.Action]++
		case e.Programme != nil:
			out["programme "+e.Programme.Action]++
		case e.Revocation != nil:
			out["revocation "+e.Revocation.Action]++
		case e.Attestation != nil && e.Attestation.Supersedes != nil:
			out["supersedes"]++
		case e.Attestation != nil && e.Attestation.Scopes != nil:
			out["scopes"]++
		default:
			out[string(e.Kind)]++
		}
	}
	return out
}

// TestVectors writes the file of vectors with -update, and otherwise compares
// it with what is written now.
func TestVectors(t *testing.T) {
	l := makeVector(t, vectorSeed)
	got := l.what()
	for what, least := range map[string]int{
		"charter": 2, "party enrol": 3, "party amend": 1, "party end": 1, "key add": 1, "key retire": 1, "key compromise": 1,
		"attestation": 20, "supersedes": 3, "scopes": 1, "revocation revoke": 3, "revocation hold": 2, "revocation reinstate": 1,
		"revocation claims": 1, "key range": 1, "programme publish": 1, "programme amend": 1, "programme close": 1,
		"seal": 12, "stray": 6, "ignored": 20,
	} {
		if got[what] < least {
			t.Errorf("%d of %s, want %d or more", got[what], what, least)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(l.v); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(vectorFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s is not what this test writes: run go test -update, and look at what changed", vectorFile)
	}
}

// TestVectorsByAltreader replays the file with the second implementation.
func TestVectorsByAltreader(t *testing.T) {
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v logVector
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	o := altreader.New(v.Origin)
	var withdrawn [][]byte
	state := func() mapVector {
		root, list := o.Root(), o.WithdrawalRoot()
		return mapVector{int(o.Keys()), hex.EncodeToString(root[:]), len(withdrawn), hex.EncodeToString(list[:])}
	}
	for i, leaf := range v.Leaves {
		out, err := o.Add(leaf.Leaf)
		if err != nil {
			t.Fatalf("leaf %d: %v", i, err)
		}
		withdrawn = append(withdrawn, out.Withdrawals...)
		is := "effective"
		switch {
		case out.Live:
			is = "seal"
		case out.Stray:
			is = "stray"
		case out.Ignored:
			is = "ignored"
		}
		if is != leaf.Is || leaf.Index != i {
			t.Errorf("leaf %d is %s, not %s", i, is, leaf.Is)
		}
		if leaf.Map != nil && state() != *leaf.Map {
			t.Errorf("leaf %d: state %+v, want %+v", i, state(), *leaf.Map)
		}
	}
	if state() != v.Map || len(v.Records) != v.Map.Keys {
		t.Errorf("state %+v, want %+v, with %d records", state(), v.Map, len(v.Records))
	}
	for _, r := range v.Records {
		if err := checkRecord(o, r); err != nil {
			t.Error(err)
		}
	}
	for i, w := range withdrawn {
		if hex.EncodeToString(w) != v.Withdrawals[i] {
			t.Errorf("withdrawal %d is %x, want %s", i, w, v.Withdrawals[i])
		}
	}
}

func checkRecord(o *altreader.Log, r recordVector) error {
	data := []byte(r.Data)
	if dataOf(r.NS, []byte("~")) != "~" {
		var err error
		if data, err = hex.DecodeString(r.Data); err != nil {
			return err
		}
	}
	key := statusmap.Key(byte(r.NS), data)
	if got := o.Record(byte(r.NS), data); string(got) != r.Record || hex.EncodeToString(key[:]) != r.Key {
		return fmt.Errorf("record %d %s is %s, want %s", r.NS, r.Data, got, r.Record)
	}
	if len(r.Events) == 0 {
		return nil
	}
	var events [][]byte
	for _, s := range r.Events {
		b, err := hex.DecodeString(s)
		if err != nil {
			return err
		}
		events = append(events, b)
	}
	if root := listRoot(events); !bytes.Contains([]byte(r.Record), []byte(hex.EncodeToString(root[:]))) {
		return fmt.Errorf("record %d %s does not have the root of its events, %x", r.NS, r.Data, root)
	}
	return nil
}
