package entry_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// predicate returns the one that is set.
func predicate(e *entry.Entry) entry.Predicate {
	switch {
	case e.Charter != nil:
		return e.Charter
	case e.Party != nil:
		return e.Party
	case e.Key != nil:
		return e.Key
	case e.Programme != nil:
		return e.Programme
	case e.Attestation != nil:
		return e.Attestation
	}
	return e.Revocation
}

// TestRoundTrip writes, signs and parses an entry of every kind: what comes
// out is what went in.
func TestRoundTrip(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			payload := entry.Payload(predicate(s.Entry), s.Subjects...)
			e, err := entry.Sign(payload, s.by)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(e.Leaf, s.Leaf) || e.ID != s.ID || !e.Verified() {
				t.Errorf("written again it is %s", e.Leaf)
			}
			if !reflect.DeepEqual(predicate(e), predicate(s.Entry)) || !reflect.DeepEqual(e.Subjects, s.Subjects) {
				t.Errorf("parsed again it is %+v", predicate(e))
			}
			prefix := map[entry.Kind]string{entry.KindAttestation: "att:"}[e.Kind]
			if e.Party != nil && e.Party.Action == entry.ActionEnrol {
				prefix = "party:"
			}
			if e.Programme != nil && e.Programme.Action == entry.ActionPublish {
				prefix = "prog:"
			}
			if prefix == "" {
				prefix = "evt:"
			}
			if !strings.HasPrefix(e.IDString(), prefix) || len(e.IDString()) != len(prefix)+64 {
				t.Errorf("its id is %s", e.IDString())
			}
		})
	}
}

// TestPayloadSorts: whoever writes need not sort.
func TestPayloadSorts(t *testing.T) {
	a := testlog.Claims(origin, 1_795_000_000, 3)
	a.Logs = []string{"z.example", origin}
	a.Claims.Items[0], a.Claims.Items[2] = a.Claims.Items[2], a.Claims.Items[0]
	a.Scopes = []entry.Scope{{Purl: "pkg:npm/z"}, {Purl: "pkg:npm/a"}}
	payload := entry.Payload(a, testlog.Component("pkg:npm/z@1"), a.Scopes[0].Subject(), a.Scopes[1].Subject())
	if _, err := entry.Sign(payload, testlog.NewKey("sorts", false)); err != nil {
		t.Error(err)
	}
}

// brokenSigner signs badly.
type brokenSigner struct {
	*testlog.Key
	sign func([]byte) ([]byte, error)
}

func (s brokenSigner) Sign(m []byte) ([]byte, error) { return s.sign(m) }

func TestSignRefuses(t *testing.T) {
	k := testlog.NewKey("signer", false)
	good := sampled("attestation claims").Payload
	asked := false
	spy := brokenSigner{k, func(m []byte) ([]byte, error) { asked = true; return k.Sign(m) }}
	if _, err := entry.Sign([]byte("{}"), spy); reason.CodeOf(err) != reason.MemberMissing || asked {
		t.Errorf("a malformed statement: %v; shown to the signer: %v", err, asked)
	}
	if _, err := entry.Sign(good, spy); err != nil || !asked {
		t.Errorf("a good one: %v", err)
	}
	other := brokenSigner{k, testlog.NewKey("other", false).Sign}
	if e, err := entry.Sign(good, other); reason.CodeOf(err) != reason.SignatureInvalid || e != nil {
		t.Errorf("signed by another key: %v", err)
	}
	fire := errors.New("the token is on fire")
	burning := brokenSigner{k, func([]byte) ([]byte, error) { return nil, fire }}
	if _, err := entry.Sign(good, burning); !errors.Is(err, fire) {
		t.Errorf("a signer that fails: %v", err)
	}
}

// TestPossession changes what the proofs of possession are over.
func TestPossession(t *testing.T) {
	key, next := testlog.NewKey("key", false), testlog.NewKey("next", true)
	proof := func(k *testlog.Key, text []byte) entry.KeyProof {
		sig, err := k.Sign(text)
		if err != nil {
			t.Fatal(err)
		}
		return entry.KeyProof{Key: k.Public(), Pop: sig}
	}
	party, other := entry.Hash{1}, entry.Hash{2}
	added := func(p entry.KeyProof) *entry.Entry {
		return testlog.Sign(key, &entry.Key{Log: origin, Action: entry.ActionAdd, Party: party, Add: &p}, entry.KeySubject(p.Key.ID()))
	}
	recovered := func(p entry.KeyProof) *entry.Entry {
		after := uint64(1)
		return testlog.Sign(key, &entry.Party{Log: origin, Action: entry.ActionAmend, After: &after, Recovery: &p}, entry.PartySubject(party))
	}
	enrolled := func(name string, both [2]entry.KeyProof) *entry.Entry {
		pred := &entry.Party{
			Log: origin, Action: entry.ActionEnrol, Name: name, Website: "https://a.example/", Roles: []string{"user"},
			Keys: both[:1], Recovery: &both[1],
		}
		return testlog.Sign(key, pred, entry.KeySubject(key.ID()), entry.KeySubject(next.ID()))
	}
	// both proves key as ordinary and next as recovery key.
	both := func(log, name string, recovery, ordinary *testlog.Key) [2]entry.KeyProof {
		text := func(k *testlog.Key) []byte {
			return entry.EnrolText(log, name, recovery.ID(), []entry.Hash{ordinary.ID()}, k.ID())
		}
		return [2]entry.KeyProof{proof(key, text(key)), proof(next, text(next))}
	}
	for name, test := range map[string]struct {
		*entry.Entry
		good bool
	}{
		"add":                            {added(proof(next, entry.AddText(origin, party, next.ID()))), true},
		"add to another party":           {added(proof(next, entry.AddText(origin, other, next.ID()))), false},
		"add in another log":             {added(proof(next, entry.AddText("a.example", party, next.ID()))), false},
		"add of another key":             {added(proof(next, entry.AddText(origin, party, key.ID()))), false},
		"add, proven as recovery":        {added(proof(next, entry.RecoveryText(origin, party, next.ID()))), false},
		"recovery":                       {recovered(proof(next, entry.RecoveryText(origin, party, next.ID()))), true},
		"recovery of another party":      {recovered(proof(next, entry.RecoveryText(origin, other, next.ID()))), false},
		"recovery, proven as added":      {recovered(proof(next, entry.AddText(origin, party, next.ID()))), false},
		"enrol":                          {enrolled("A", both(origin, "A", next, key)), true},
		"enrol under another name":       {enrolled("B", both(origin, "A", next, key)), false},
		"enrol in another log":           {enrolled("A", both("a.example", "A", next, key)), false},
		"enrol with keys in other roles": {enrolled("A", both(origin, "A", key, next)), false},
	} {
		err := test.Verify(key.Public())
		if test.good && err != nil || !test.good && reason.CodeOf(err) != reason.Possession {
			t.Errorf("%s: %v", name, err)
		}
		if test.Verified() != test.good {
			t.Errorf("%s: Verified is %v", name, test.Verified())
		}
	}
}

// TestPossessionText spells the texts out, byte for byte.
func TestPossessionText(t *testing.T) {
	a, b, c := entry.Hash{0xaa}, entry.Hash{0xbb}, entry.Hash{0xcc}
	z := strings.Repeat("00", 31)
	for got, want := range map[string]string{
		string(entry.EnrolText("o", "n", c, []entry.Hash{b, a}, b)): "standing/pop/v1\no\nn\ncc" + z + "\naa" + z + ",bb" + z + "\nbb" + z + "\n",
		string(entry.RecoveryText("o", a, b)):                       "standing/pop-recovery/v1\no\naa" + z + "\nbb" + z + "\n",
		string(entry.AddText("o", a, b)):                            "standing/pop-add/v1\no\naa" + z + "\nbb" + z + "\n",
	} {
		if got != want {
			t.Errorf("text is %q, not %q", got, want)
		}
	}
}

// TestScopeDocument spells the document out.
func TestScopeDocument(t *testing.T) {
	from, to := uint64(0), uint64(7)
	for want, s := range map[string]entry.Scope{
		`{"purl":"pkg:npm/a"}`:                               {Purl: "pkg:npm/a"},
		`{"purl":"pkg:npm/a","vers":"vers:npm/*"}`:           {Purl: "pkg:npm/a", Vers: "vers:npm/*"},
		`{"purl":"pkg:npm/a","vers":"v|<1","from":0,"to":7}`: {Purl: "pkg:npm/a", Vers: "v|<1", From: &from, To: &to},
		`{"purl":"pkg:npm/a","to":7}`:                        {Purl: "pkg:npm/a", To: &to},
	} {
		if got := string(s.Document()); got != want {
			t.Errorf("document is %s, not %s", got, want)
		}
	}
}

// TestOpen: what an id commits to says what the leaf says, and no signature.
func TestOpen(t *testing.T) {
	for _, e := range samples() {
		payload, keyID, id, err := entry.Split(e.Leaf)
		if err != nil || !bytes.Equal(payload, e.Payload) || keyID != e.KeyID || id != e.ID {
			t.Fatalf("%x: %x, %v", e.ID, id, err)
		}
		got, err := entry.Open(payload, keyID)
		if err != nil || got.ID != e.ID || got.Kind != e.Kind || got.Verified() || got.Leaf != nil {
			t.Errorf("%x: %+v, %v", e.ID, got, err)
		}
		if got, err := entry.Open(payload, entry.Hash{1}); err != nil || got.ID == e.ID {
			t.Errorf("%x by another key: %v", e.ID, err)
		}
	}
	if _, err := entry.Open(bytes.Repeat([]byte(" "), entry.MaxSize+1), entry.Hash{}); reason.CodeOf(err) != reason.TooLarge {
		t.Errorf("a large payload: %v", err)
	}
	if _, _, _, err := entry.Split([]byte("{}")); err == nil {
		t.Error("a leaf that is none is split")
	}
}
