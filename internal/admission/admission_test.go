package admission

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

const origin = "log.example/admission"

var errStore = errors.New("the store is on fire")

// store is a log that holds keys and ids, or fails.
type store struct {
	keys  map[Hash][]byte
	known map[Hash]bool
	err   error
	reads int
}

func (s *store) SPKI(id Hash) ([]byte, error) {
	s.reads++
	return s.keys[id], s.err
}

func (s *store) Known(id Hash) (bool, error) { return s.known[id], s.err }

const now = 1_795_000_000

func newStore(keys ...*testlog.Key) *store {
	s := &store{keys: map[Hash][]byte{}, known: map[Hash]bool{}}
	for _, k := range keys {
		s.keys[k.ID()] = k.Public().SPKI()
	}
	return s
}

func admission(s *store) *Admission {
	return New(s, func() time.Time { return time.Unix(now, 0) })
}

func attest(k *testlog.Key, change func(*entry.Attestation)) *entry.Entry {
	a := testlog.Claims(origin, now, 5)
	if change != nil {
		change(a)
	}
	return testlog.Attest(k, a, testlog.Component("pkg:npm/left@1.0.0"))
}

// TestAdmit admits entries of both algorithms, canonical or not.
func TestAdmit(t *testing.T) {
	for _, p256 := range []bool{false, true} {
		k := testlog.NewKey("a", p256)
		s := newStore(k)
		a, e := admission(s), attest(k, nil)
		for name, envelope := range map[string][]byte{
			"canonical": e.Leaf,
			"spaced":    bytes.ReplaceAll(e.Leaf, []byte(`":"`), []byte(`" : "`)),
		} {
			got, err := a.Admit(envelope)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !bytes.Equal(got.Leaf, e.Leaf) || got.ID != e.ID || !got.Verified() {
				t.Errorf("%s: admitted %x, not %x", name, got.Leaf, e.Leaf)
			}
			if got.LeafHash != Hash(rfc6962.DefaultHasher.HashLeaf(e.Leaf)) {
				t.Errorf("%s: leaf hash %x", name, got.LeafHash)
			}
		}
		if s.reads != 1 {
			t.Errorf("the key was read %d times", s.reads)
		}
	}
}

// TestRefuse refuses envelopes, each for its own cause.
func TestRefuse(t *testing.T) {
	k, unknown := testlog.NewKey("a", false), testlog.NewKey("b", false)
	leaf := string(attest(k, nil).Leaf)
	edit := func(old, new string) string { return strings.Replace(leaf, old, new, 1) }
	sig := leaf[strings.Index(leaf, `"sig":"`)+7:]
	sig = sig[:strings.IndexByte(sig, '"')]
	raw, err := base64.StdEncoding.DecodeString(sig)
	if err != nil {
		t.Fatal(err)
	}
	raw[10] ^= 1
	for name, c := range map[string]struct {
		envelope string
		want     reason.Code
	}{
		"empty":             {"", reason.EnvelopeMalformed},
		"truncated":         {leaf[:len(leaf)/2], reason.EnvelopeMalformed},
		"more behind it":    {leaf + "{}", reason.EnvelopeMalformed},
		"too large":         {edit(`{"payload":"`, `{"payload":"`+strings.Repeat("A", 70_000)), reason.TooLarge},
		"another type":      {edit("in-toto", "in-xoxo"), reason.PayloadType},
		"a wrong signature": {edit(sig, base64.StdEncoding.EncodeToString(raw)), reason.SignatureInvalid},
		"no payload":        {edit(leaf[12:len(leaf)/2], "e30="+leaf[len(leaf)/2:len(leaf)/2]), ""},
		"an unknown key":    {string(attest(unknown, nil).Leaf), reason.KeyUnknown},
		"expired":           {string(attest(k, func(a *entry.Attestation) { a.ValidUntil, a.ValidFrom = now-1, 1 }).Leaf), reason.Validity},
		"a legal basis":     {string(attest(k, func(a *entry.Attestation) { a.LegalBasis = "art25" }).Leaf), reason.LegalBasis},
		"a mail address": {string(attest(k, func(a *entry.Attestation) {
			a.Support = &entry.Support{Asks: "sponsorship", URL: "https://example.org/jane.doe@example.org"}
		}).Leaf), reason.PersonalData},
	} {
		got, err := admission(newStore(k)).Admit([]byte(c.envelope))
		if got != nil || err == nil {
			t.Errorf("%s: admitted", name)
			continue
		}
		if code := reason.CodeOf(err); code != c.want && c.want != "" || code == "" {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestKnown submits again what today's rules refuse: what is in the log is
// admitted, so that it can be answered as it was.
func TestKnown(t *testing.T) {
	k := testlog.NewKey("a", false)
	s := newStore(k)
	e := attest(k, func(a *entry.Attestation) { a.ValidFrom, a.ValidUntil = 1, now-1 })
	if _, err := admission(s).Admit(e.Leaf); reason.CodeOf(err) != reason.Validity {
		t.Errorf("new: %v", err)
	}
	s.known[e.ID] = true
	if _, err := admission(s).Admit(e.Leaf); err != nil {
		t.Errorf("known: %v", err)
	}
	s.err = errStore
	a := admission(newStore(k))
	a.keys = s
	a.cache[k.ID()] = k.Public()
	if _, err := a.Admit(e.Leaf); !errors.Is(err, errStore) || reason.CodeOf(err) != "" {
		t.Errorf("broken store: %v", err)
	}
}

// TestStoreFails lets the store fail, and hold what is no key: that is no
// refusal, and nothing is remembered.
func TestStoreFails(t *testing.T) {
	k := testlog.NewKey("a", false)
	e := attest(k, nil)
	s := newStore(k)
	a := admission(s)
	s.err = errStore
	if _, err := a.Admit(e.Leaf); !errors.Is(err, errStore) || reason.CodeOf(err) != "" {
		t.Errorf("error %v", err)
	}
	s.err, s.keys[k.ID()] = nil, []byte("no key")
	if _, err := a.Admit(e.Leaf); err == nil || !strings.Contains(err.Error(), "which is in the store") {
		t.Errorf("error %v", err)
	}
	s.keys[k.ID()] = k.Public().SPKI()
	if _, err := a.Admit(e.Leaf); err != nil {
		t.Error(err)
	}
}

// TestConcurrent admits from many goroutines, with more keys than are kept.
func TestConcurrent(t *testing.T) {
	keys := make([]*testlog.Key, 8)
	for n := range keys {
		keys[n] = testlog.NewKey(fmt.Sprint(n), n%2 == 0)
	}
	s := newStore(keys...)
	a := New(readOnly{s}, func() time.Time { return time.Unix(now, 0) })
	for n := range maxCache {
		a.cache[Hash{1, byte(n), byte(n >> 8)}] = keys[0].Public()
	}
	var wg sync.WaitGroup
	for _, k := range keys {
		e := attest(k, nil)
		wg.Go(func() {
			for range 20 {
				if _, err := a.Admit(e.Leaf); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if len(a.cache) > maxCache {
		t.Errorf("%d keys kept", len(a.cache))
	}
}

// readOnly is a store that counts nothing.
type readOnly struct{ *store }

func (s readOnly) SPKI(id Hash) ([]byte, error) { return s.keys[id], nil }
