package mapfn_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
)

func TestFound(t *testing.T) {
	s := emptyScene(t)
	e := s.charter(nil, "open", s.root2)
	_, w := s.step(e.Leaf)
	s.add("a", s.a.Enrol(origin, s.registrar))
	s.names[e.ID], s.names[leafHash(e.Leaf)] = "$id", "$leaf"
	// Keyids are sorted.
	roots := []string{"$root", "$root2"}
	if x, y := s.root.ID(), s.root2.ID(); bytes.Compare(x[:], y[:]) > 0 {
		roots[0], roots[1] = roots[1], roots[0]
	}
	want := `5 $reg {"v":1,"state":"active","role":"registrar","first":0,"last":0}
5 $root {"v":1,"state":"active","role":"root","first":0,"last":0}
5 $root2 {"v":1,"state":"active","role":"root","first":0,"last":0}
7  {"v":1,"fn":1,"admission":"testlog-1","issuance":"open","leaf":"$leaf","last":0,"registrars":["$reg"],"roots":["` +
		strings.Join(roots, `","`) + `"]}`
	if got := s.render(w); got != want {
		t.Errorf("writes\n%s\nwant\n%s", got, want)
	}
}

// TestNoLog: if leaf 0 is anything but a charter without after, there is no
// log, and every later leaf is ignored.
func TestNoLog(t *testing.T) {
	two := func(s *scene, fn string) []byte {
		return resigned(s.root, s.charter(nil, "open"), `"mapfn":1`, `"mapfn":`+fn)
	}
	for name, test := range map[string]struct {
		leaf func(*scene) []byte
		code reason.Code
	}{
		"an amendment": {func(s *scene) []byte { return s.charter(index(0), "open").Leaf }, reason.NoLog},
		"a party": {func(s *scene) []byte { return s.a.Enrol(origin, s.registrar).Leaf },
			reason.KeyUnknown},
		"an attestation": {func(s *scene) []byte { return s.attest(s.a0, "pkg:npm/express@1").Leaf }, reason.KeyUnknown},
		"another log's": {func(s *scene) []byte {
			return testlog.Charter("other.example", nil, "open", []*testlog.Key{s.registrar}, s.root).Leaf
		}, reason.WrongLog},
		"not by a root":   {func(s *scene) []byte { return testlog.Leaf(s.registrar, s.charter(nil, "open").Payload) }, reason.KeyUnknown},
		"forged":          {func(s *scene) []byte { return forged(s.charter(nil, "open")) }, reason.SignatureInvalid},
		"map function 2":  {func(s *scene) []byte { return two(s, "2") }, reason.MapFunction},
		"no entry at all": {func(*scene) []byte { return []byte("hello") }, reason.EnvelopeMalformed},
		"a stray seal":    {func(*scene) []byte { return []byte("standing/seal/v1\n") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := emptyScene(t)
			s.wantStep("leaf 0", test.leaf(s), test.code)
			s.wantStep("a charter at 1", s.charter(nil, "open").Leaf, reason.NoLog)
			s.wantStep("an amendment at 2", s.charter(index(0), "open").Leaf, reason.NoLog)
			s.wantStep("a party at 3", s.a.Enrol(origin, s.registrar).Leaf, reason.KeyUnknown)
			if s.log.MapRoot() != (hash{}) {
				t.Error("the map is not empty")
			}
		})
	}
}

func TestAmendCharter(t *testing.T) {
	amend := func(after *uint64, by func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry {
			c := s.predicate(after)
			return testlog.Sign(by(s), c, entry.LogSubject(origin))
		}
	}
	keys := func(change func(*scene, *entry.Charter)) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry {
			c := s.predicate(index(0))
			change(s, c)
			return testlog.Sign(s.root, c, entry.LogSubject(origin))
		}
	}
	root := func(s *scene) *testlog.Key { return s.root }
	try(t, []rule{
		{"after the last change", amend(index(0), root), "", ""},
		{"without after", amend(nil, root), reason.AfterStale, ""},
		{"after another index", amend(index(1), root), reason.AfterStale, ""},
		{"after what was before the last", func(s *scene) *entry.Entry {
			s.add("closed", s.charter(index(0), "closed", s.root2))
			return s.charter(index(0), "open", s.root2)
		}, reason.AfterStale, ""},
		{"after the newest", func(s *scene) *entry.Entry {
			s.add("closed", s.charter(index(0), "closed", s.root2))
			return s.charter(index(4), "open", s.root2)
		}, "", ""},
		{"by the other root", amend(index(0), func(s *scene) *testlog.Key { return s.root2 }), "", ""},
		{"by a registrar", amend(index(0), func(s *scene) *testlog.Key { return s.registrar }), reason.RoleNotAllowed, ""},
		{"by a party", amend(index(0), func(s *scene) *testlog.Key { return s.aR }), reason.RoleNotAllowed, ""},
		{"by a root that it names, and nobody before", func(s *scene) *entry.Entry {
			return testlog.Charter(origin, index(0), "open", []*testlog.Key{s.registrar}, s.key("root3"), s.root, s.root2)
		}, reason.KeyUnknown, ""},
		{"by a dropped root", func(s *scene) *entry.Entry {
			s.add("drop", s.charter(index(0), "open"))
			return testlog.Sign(s.root2, s.predicate(index(4)), entry.LogSubject(origin))
		}, reason.KeyNotActive, ""},
		{"keys come and go", keys(func(s *scene, c *entry.Charter) {
			c.Roots = []entry.PublicKey{s.root.Public()}
			c.Registrars = []entry.PublicKey{s.key("reg2").Public()}
			c.Admission, c.Issuance, c.Successor = "rules-2", "closed", "next.example/log"
		}), "", `
5 $reg {"v":1,"state":"retired","role":"registrar","first":0,"end":4,"last":4}
5 $reg2 {"v":1,"state":"active","role":"registrar","first":4,"last":4}
5 $root2 {"v":1,"state":"retired","role":"root","first":0,"end":4,"last":4}
7  {"v":1,"fn":1,"admission":"rules-2","issuance":"closed","leaf":"$leaf","last":4,"registrars":["$reg2"],"roots":["$root"],"successor":"next.example/log"}`},
		{"a root drops itself", keys(func(s *scene, c *entry.Charter) { c.Roots = []entry.PublicKey{s.root2.Public()} }), "", ""},
		{"a registrar becomes root", keys(func(s *scene, c *entry.Charter) {
			c.Roots = []entry.PublicKey{s.root.Public(), s.registrar.Public()}
			c.Registrars = []entry.PublicKey{s.key("reg2").Public()}
		}), reason.CharterKeys, ""},
		{"a root becomes registrar", keys(func(s *scene, c *entry.Charter) {
			c.Roots, c.Registrars = []entry.PublicKey{s.root.Public()}, []entry.PublicKey{s.root2.Public()}
		}), reason.CharterKeys, ""},
		{"a party's key becomes registrar", keys(func(s *scene, c *entry.Charter) {
			c.Registrars = []entry.PublicKey{s.aR.Public()}
		}), reason.CharterKeys, ""},
		{"a party's key becomes root", keys(func(s *scene, c *entry.Charter) {
			c.Roots = []entry.PublicKey{s.root.Public(), s.a1.Public()}
		}), reason.CharterKeys, ""},
		{"a dropped key returns", func(s *scene) *entry.Entry {
			s.add("drop", s.charter(index(0), "open"))
			return s.charter(index(4), "open", s.root2)
		}, reason.CharterKeys, ""},
		{"a dropped key returns in another role", func(s *scene) *entry.Entry {
			s.add("drop", s.charter(index(0), "open"))
			return testlog.Charter(origin, index(4), "open", []*testlog.Key{s.registrar, s.root2}, s.root)
		}, reason.CharterKeys, ""},
		{"map function 2: in force from the next leaf on", keys(func(_ *scene, c *entry.Charter) { c.MapFn = 2 }), "", ""},
		{"map function 3", keys(func(_ *scene, c *entry.Charter) { c.MapFn = 3 }), reason.MapFunction, ""},
	})
}

// predicate is the charter as it is, amended.
func (s *scene) predicate(after *uint64) *entry.Charter {
	return &entry.Charter{
		Log: origin, After: after, Admission: "testlog-1", Issuance: "open", MapFn: 1,
		Registrars: []entry.PublicKey{s.registrar.Public()}, Roots: []entry.PublicKey{s.root.Public(), s.root2.Public()},
	}
}

// TestCharterKeyInBothLists: no leaf can say so.
func TestCharterKeyInBothLists(t *testing.T) {
	s := emptyScene(t)
	leaf := resigned(s.root, s.charter(nil, "open"), b64(s.registrar), b64(s.root))
	s.wantStep("a key that is root and registrar", leaf, reason.CharterKeys)
}

// TestActivation: under a function that it does not know Step says so, of every
// leaf, and writes nothing; what a reader asks is answered.
func TestActivation(t *testing.T) {
	s := newScene(t)
	inForce := func(want uint16) {
		t.Helper()
		if fn, err := mapfn.InForce(s.log); fn != want || err != nil {
			t.Errorf("function %d is in force, %v, want %d", fn, err, want)
		}
	}
	inForce(1)
	c := s.predicate(index(0))
	c.MapFn = 2
	s.add("function 2", testlog.Sign(s.root, c, entry.LogSubject(origin)))
	inForce(2)
	back := s.predicate(index(4)) // to function 1
	next := s.predicate(index(4))
	next.MapFn = 3
	for name, leaf := range map[string][]byte{
		"an attestation": s.attest(s.a0, "pkg:npm/lodash@1").Leaf,
		"a revocation":   s.revoke(s.a0, s.att).Leaf,
		"function 1":     testlog.Sign(s.root, back, entry.LogSubject(origin)).Leaf,
		"function 3":     testlog.Sign(s.root, next, entry.LogSubject(origin)).Leaf,
		"no entry":       []byte("hello"),
		"a stray seal":   []byte("standing/seal/v1\n"),
	} {
		w, err := mapfn.Step(origin, leaf, s.index(), s.log, s.log)
		if !errors.Is(err, mapfn.ErrFunction) || reason.CodeOf(err) != "" || w != nil {
			t.Errorf("%s: %+v, %v, want ErrFunction", name, w, err)
		}
	}
	inForce(2)
}

// TestIssuance: a closed log takes withdrawals and everything else; a later
// charter may open it again.
func TestIssuance(t *testing.T) {
	s := newScene(t)
	other := s.add("other", s.attest(s.a0, "pkg:npm/lodash@1"))
	s.add("closed", s.charter(index(0), "closed", s.root2)) // 5
	s.wantStep("attestation", s.attest(s.a0, "pkg:npm/lodash@2").Leaf, reason.IssuanceClosed)
	s.wantStep("superseding", s.supersede(s.a0, s.att.ID, "pkg:npm/express@5").Leaf, reason.IssuanceClosed)
	h := s.add("hold", s.hold(s.a0, s.att))
	s.add("reinstate", s.reinstate(s.a0, h, s.att))
	s.add("revoke", s.revoke(s.a1, other))
	s.add("add", testlog.AddKey(origin, s.a.ID, s.key("a2"), s.aR))
	s.add("enrol", testlog.NewParty("c", 1).Enrol(origin, s.registrar))
	s.add("open", s.charter(index(5), "open", s.root2))
	s.add("attestation", s.attest(s.a0, "pkg:npm/lodash@2"))
	if got := s.record(mapfn.NSLog, nil); !strings.Contains(got, `"issuance":"open","leaf":"$open.leaf","last":13`) {
		t.Errorf("record %s", got)
	}
}
