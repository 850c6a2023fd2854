package mapfn_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/altreader"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
)

type hash = mapfn.Hash

const (
	origin = "log.example/test"
	from   = 1_795_000_000
)

// scene is a small log, replayed by package replay and by altreader. Nearly
// every test begins with the same four leaves (newScene) and adds what its
// rule is about. Writes are compared as text (render), in which the hashes of
// the scene have names: $a is a party, $a0 its first key, $aR its recovery
// key, $att an event and $att.leaf its leaf hash; $id and $leaf are those of
// the leaf that is added last, and $list is a right list root.
type scene struct {
	*testing.T
	log    *replay.Log
	second *altreader.Log
	leaves [][]byte
	names  map[hash]string
	events map[string][][]byte // by namespace and data
	last   map[hash]uint64     // of attestation records

	root, root2, registrar *testlog.Key
	a, b                   *testlog.Party
	a0, a1, aR, b0, bR     *testlog.Key
	att                    *entry.Entry // an attestation by a0
}

// emptyScene has a cast and no leaves.
func emptyScene(t *testing.T) *scene {
	s := &scene{
		T: t, second: altreader.New(origin), names: map[hash]string{}, events: map[string][][]byte{}, last: map[hash]uint64{},
		root: testlog.NewKey("root", false), root2: testlog.NewKey("root 2", true),
		registrar: testlog.NewKey("registrar", false),
		a:         testlog.NewParty("a", 2), b: testlog.NewParty("b", 1),
	}
	s.log = replay.New(origin, func(i uint64) ([]byte, error) { return s.leaves[i], nil })
	s.a0, s.a1, s.aR, s.b0, s.bR = s.a.Keys[0], s.a.Keys[1], s.a.Recovery, s.b.Keys[0], s.b.Recovery
	for name, k := range map[string]*testlog.Key{
		"root": s.root, "root2": s.root2, "reg": s.registrar, "a0": s.a0, "a1": s.a1, "aR": s.aR, "b0": s.b0, "bR": s.bR,
	} {
		s.names[k.ID()] = "$" + name
	}
	return s
}

// newScene has a charter at 0, the parties a and b at 1 and 2, and at 3 the
// attestation att by a0, about express.
func newScene(t *testing.T) *scene {
	s := emptyScene(t)
	s.add("charter", s.charter(nil, "open", s.root2))
	s.add("a", s.a.Enrol(origin, s.registrar))
	s.add("b", s.b.Enrol(origin, s.registrar))
	s.att = s.add("att", s.attest(s.a0, "pkg:npm/express@4.22.2"))
	return s
}

// index is that of the next leaf.
func (s *scene) index() uint64 { return uint64(len(s.leaves)) }

// key makes a key that has a name.
func (s *scene) key(name string) *testlog.Key {
	k := testlog.NewKey(name, false)
	s.names[k.ID()] = "$" + name
	return k
}

// charter is by root, with the one registrar.
func (s *scene) charter(after *uint64, issuance string, further ...*testlog.Key) *entry.Entry {
	return testlog.Charter(origin, after, issuance, []*testlog.Key{s.registrar}, s.root, further...)
}

func (s *scene) attest(k *testlog.Key, purls ...string) *entry.Entry {
	var subjects []entry.Subject
	for _, p := range purls {
		subjects = append(subjects, testlog.Component(p))
	}
	return testlog.Attest(k, testlog.Claims(origin, from+s.index(), 1), subjects...)
}

// supersede is by k about purl, instead of the attestation given.
func (s *scene) supersede(k *testlog.Key, old hash, purl string) *entry.Entry {
	a := testlog.Claims(origin, from, 1)
	a.Supersedes = &old
	return testlog.Attest(k, a, testlog.Component(purl))
}

// hold is by k, with the right after.
func (s *scene) hold(k *testlog.Key, targets ...*entry.Entry) *entry.Entry {
	var list []testlog.Target
	for _, e := range targets {
		list = append(list, testlog.Target{ID: e.ID, Last: s.last[e.ID]})
	}
	return testlog.Hold(origin, from+1000, k, list...)
}

func (s *scene) revoke(k *testlog.Key, targets ...*entry.Entry) *entry.Entry {
	return testlog.Revoke(origin, 10, k, ids(targets)...)
}

func (s *scene) reinstate(k *testlog.Key, hold *entry.Entry, targets ...*entry.Entry) *entry.Entry {
	return testlog.Reinstate(origin, hold.ID, k, ids(targets)...)
}

func ids(entries []*entry.Entry) []hash {
	var out []hash
	for _, e := range entries {
		out = append(out, e.ID)
	}
	return out
}

func index(n uint64) *uint64 { return &n }

// add adds an entry that must have effect, and names it.
func (s *scene) add(name string, e *entry.Entry) *entry.Entry {
	s.Helper()
	if code, _ := s.step(e.Leaf); code != "" {
		s.Fatalf("%s, leaf %d, is ignored for %s", name, s.index()-1, code)
	}
	s.names[e.ID], s.names[leafHash(e.Leaf)] = "$"+name, "$"+name+".leaf"
	return e
}

// step adds a leaf, checks what must hold for every one, and returns why it is
// ignored, or what it wrote.
func (s *scene) step(leaf []byte) (reason.Code, *mapfn.Writes) {
	s.Helper()
	index, before := s.index(), s.log.MapRoot()
	out, err := s.log.Add(leaf)
	if err != nil {
		s.Fatalf("leaf %d: %v", index, err)
	}
	s.leaves = append(s.leaves, leaf)
	second, err := s.second.Add(leaf)
	if err != nil {
		s.Fatalf("leaf %d: altreader: %v", index, err)
	}
	code := reason.CodeOf(out.Ignored)
	if second.Ignored != (code != "") {
		s.Fatalf("leaf %d: ignored for %q; to altreader, for %q", index, code, second.Code)
	}
	if s.log.MapRoot() != s.second.Root() {
		s.Fatalf("leaf %d: altreader's map is another", index)
	}
	if out.Writes == nil {
		if s.log.MapRoot() != before {
			s.Fatalf("leaf %d is ignored and changes the map", index)
		}
		return code, nil
	}
	s.checkWrites(index, out.Entry.ID, out.Writes)
	return code, out.Writes
}

// checkWrites keeps the lists and compares each with its record.
func (s *scene) checkWrites(index uint64, id hash, w *mapfn.Writes) {
	s.Helper()
	seen := map[string]bool{}
	for _, c := range w.Changes {
		at := place(c.NS, c.Data)
		if seen[at] {
			s.Fatalf("leaf %d writes %d %q twice", index, c.NS, c.Data)
		}
		seen[at] = true
		if c.NS == mapfn.NSAttestation {
			a, err := mapfn.ParseAttestation(c.Record)
			if err != nil {
				s.Fatal(err)
			}
			s.last[hash(c.Data)] = a.Last
		}
		if c.Event == nil {
			continue
		}
		if c.Event.Index != index || c.Event.ID != id {
			s.Fatalf("leaf %d appends the event %+v, which is another", index, c.Event)
		}
		event := binary.BigEndian.AppendUint64(nil, index)
		event = append(event, byte(c.Event.Kind))
		s.events[at] = append(s.events[at], append(event, id[:]...))
		s.checkList(index, at, c)
	}
	for _, x := range w.Withdrawals {
		if x.Index != index {
			s.Fatalf("leaf %d writes the withdrawal %+v", index, x)
		}
	}
}

// checkList compares a record with the list that was kept here.
func (s *scene) checkList(index uint64, at string, c mapfn.Change) {
	s.Helper()
	var r struct {
		Count, Last uint64
		LastEvent   *uint64
		Root        string
	}
	if err := json.Unmarshal(c.Record, &r); err != nil {
		s.Fatal(err)
	}
	last := r.Last
	if r.LastEvent != nil {
		last = *r.LastEvent
	}
	root := listRoot(s.events[at])
	if r.Count != uint64(len(s.events[at])) || last != index || r.Root != hex.EncodeToString(root[:]) {
		s.Fatalf("leaf %d: record %s, list of %d events with root %x", index, c.Record, len(s.events[at]), root)
	}
}

func place(ns mapfn.NS, data []byte) string { return string(append([]byte{byte(ns)}, data...)) }

// listRoot is the Merkle tree hash of RFC 6962, section 2.1.
func listRoot(list [][]byte) hash {
	switch len(list) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, list[0]...))
	}
	k := 1
	for 2*k < len(list) {
		k *= 2
	}
	l, r := listRoot(list[:k]), listRoot(list[k:])
	return sha256.Sum256(slices.Concat([]byte{1}, l[:], r[:]))
}

// render writes down what a leaf wrote, with names for hashes: records in
// order of namespace, "+n" behind one whose list grew by an event of kind n;
// then withdrawals in their order.
func (s *scene) render(w *mapfn.Writes) string {
	var lines []string
	for _, c := range w.Changes {
		data := string(c.Data)
		if len(c.Data) == 32 {
			data = hex.EncodeToString(c.Data)
		}
		record := string(c.Record)
		if c.Event != nil {
			root := listRoot(s.events[place(c.NS, c.Data)])
			record = strings.Replace(record, hex.EncodeToString(root[:]), "$list", 1) + fmt.Sprintf(" +%d", c.Event.Kind)
		}
		lines = append(lines, s.name(fmt.Sprintf("%d %s %s", c.NS, data, record)))
	}
	slices.Sort(lines)
	for _, x := range w.Withdrawals {
		lines = append(lines, s.name(renderWithdrawal(x.Append(nil))))
	}
	return strings.Join(lines, "\n")
}

// renderWithdrawal reads a record's bytes: index, kind, reason, flags, id,
// from and to.
func renderWithdrawal(b []byte) string {
	if len(b) != 60 {
		return fmt.Sprintf("withdrawal of %d bytes", len(b))
	}
	u64 := binary.BigEndian.Uint64
	return fmt.Sprintf("w %d kind %d reason %d flags %x %x from %d to %d", u64(b), b[8], b[9], b[10:12], b[12:44], u64(b[44:]), u64(b[52:]))
}

// name replaces hashes by their names.
func (s *scene) name(text string) string {
	for h, name := range s.names {
		text = strings.ReplaceAll(text, hex.EncodeToString(h[:]), name)
	}
	return text
}

// rule is one case of a rule: an entry that has effect (and, if want is given,
// exactly these writes), or is ignored for code.
type rule struct {
	name string
	// make adds what comes before, and returns the entry in question.
	make func(*scene) *entry.Entry
	code reason.Code
	want string
}

// try runs rules, each in a scene of its own.
func try(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			s := newScene(t)
			e := r.make(s)
			code, w := s.step(e.Leaf)
			if code != r.code {
				t.Fatalf("ignored for %q, want %q", code, r.code)
			}
			if r.want == "" {
				return
			}
			s.names[e.ID], s.names[leafHash(e.Leaf)] = "$id", "$leaf"
			if got, want := s.render(w), strings.TrimSpace(r.want); got != want {
				t.Errorf("writes\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// record returns the record at (ns, data), rendered.
func (s *scene) record(ns mapfn.NS, data []byte) string {
	s.Helper()
	b, err := s.log.Record(ns, data)
	if err != nil {
		s.Fatal(err)
	}
	if b == nil {
		return ""
	}
	return s.name(string(b))
}

// wantStep adds a leaf and compares why it is ignored.
func (s *scene) wantStep(what string, leaf []byte, want reason.Code) {
	s.Helper()
	if code, _ := s.step(leaf); code != want {
		s.Errorf("%s: ignored for %q, want %q", what, code, want)
	}
}

// resigned returns e's payload with old replaced, in a leaf signed by k.
func resigned(k *testlog.Key, e *entry.Entry, old, new string) []byte {
	return testlog.Leaf(k, replaced(e.Payload, old, new))
}

func b64(k *testlog.Key) string { return base64.StdEncoding.EncodeToString(k.Public().SPKI()) }

// replaced returns b with the first old, which must be there, replaced.
func replaced(b []byte, old, new string) []byte {
	if !bytes.Contains(b, []byte(old)) {
		panic("nothing to replace: " + old)
	}
	return bytes.Replace(b, []byte(old), []byte(new), 1)
}
