package entry_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

var update = flag.Bool("update", false, "write the vectors in testdata again")

const origin = "log.example/test"

// The vectors in testdata, for other implementations and other packages.
type (
	// malicious.json: leaves that MUST be ignored, and for which code.
	badVector struct {
		Name string      `json:"name"`
		Leaf []byte      `json:"leaf"` // base64
		Code reason.Code `json:"code"`
	}

	// good.json: entries of every kind, with the key they verify under.
	goodVector struct {
		Name  string `json:"name"`
		Leaf  []byte `json:"leaf"` // base64
		KeyID string `json:"keyid"`
		SPKI  []byte `json:"spki"` // base64
		ID    string `json:"id"`
		Kind  string `json:"kind"`
	}

	// keys.json: SubjectPublicKeyInfos, good if they have no code.
	keyVector struct {
		Name string      `json:"name"`
		SPKI []byte      `json:"spki"` // base64
		Code reason.Code `json:"code,omitempty"`
	}
)

// golden compares v with the file of vectors, or writes it.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s is not what this test writes: run go test -update, and look at what changed", path)
	}
}

// read reads a file of vectors.
func read[V any](t *testing.T, name string) []V {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var out []V
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// sample is an entry and who signed it.
type sample struct {
	name string
	*entry.Entry
	by *testlog.Key
}

// samples has an entry of every kind, with every optional member somewhere.
func samples() []sample {
	root, registrar := testlog.NewKey("root", false), testlog.NewKey("registrar", true)
	p := testlog.NewParty("samples", 3)
	key, next := p.Keys[0], testlog.NewKey("next", true)
	var out []sample
	add := func(name string, by *testlog.Key, e *entry.Entry) { out = append(out, sample{name, e, by}) }
	index := func(n uint64) *uint64 { return &n }

	add("charter", root, testlog.Charter(origin, nil, "open", []*testlog.Key{registrar}, root))
	add("charter amended", root, testlog.Sign(root, &entry.Charter{
		Log: origin, After: index(0), Admission: "samples-1", Issuance: "closed", MapFn: 1, Successor: "log.example/2",
		Registrars: []entry.PublicKey{registrar.Public(), next.Public()}, Roots: []entry.PublicKey{root.Public()},
	}, entry.LogSubject(origin)))
	add("party enrol", registrar, p.Enrol(origin, registrar))
	add("party amend roles", registrar, testlog.AmendRoles(origin, p.ID, 2, registrar, "maintainer", "steward"))
	add("party amend website", p.Recovery, testlog.AmendWebsite(origin, p.ID, 3, "https://new.example/", nil, p.Recovery))
	add("party amend recovery", p.Recovery, testlog.AmendWebsite(origin, p.ID, 4, "", next, p.Recovery))
	add("party end", next, testlog.EndParty(origin, p.ID, next))
	add("key add", p.Recovery, testlog.AddKey(origin, p.ID, next, p.Recovery))
	add("key retire", key, testlog.RetireKey(origin, key.ID(), key))
	add("key compromise", key, testlog.CompromiseKey(origin, key.ID(), nil, key))
	add("key compromise cutoff", p.Recovery, testlog.CompromiseKey(origin, key.ID(), index(7), p.Recovery))

	add("key range", p.Recovery, testlog.VoidRange(origin, key.ID(), entry.KeyRange{From: 3, To: 7, Reason: 12}, p.Recovery))
	add("key range package", p.Recovery, testlog.VoidRange(origin, key.ID(), entry.KeyRange{To: 7, Package: "pkg:npm/%40babel/core"}, p.Recovery))

	publish := testlog.Publish(key, testlog.Rules(origin))
	add("programme publish", key, publish)
	rules := testlog.Rules(origin, p.ID, publish.ID)
	rules.Catalogues, rules.Roles = []string{"cra-annex-i", "orc-template-lite"}, []string{"maintainer", "steward"}
	add("programme amend", key, testlog.AmendProgramme(key, publish.ID, 4, rules))
	add("programme close", key, testlog.CloseProgramme(origin, key, publish.ID))

	const from = 1_795_000_000
	express := testlog.Component("pkg:npm/express@4.22.2")
	claims := testlog.Claims(origin, from, 7)
	first := testlog.Attest(key, claims, express)
	add("attestation claims", key, first)
	add("attestation p256", p.Keys[1], testlog.Attest(p.Keys[1], claims, express, testlog.Component("pkg:npm/%40babel/core@8.0.0?arch=any#lib")))
	add("attestation statement", key, testlog.Attest(key, testlog.Statement(origin, from, []byte("document")), express))
	add("attestation private", key, testlog.Attest(key, testlog.Private(origin, from, key.ID(), entry.Hash{1}, []byte("body")), express))
	rich := testlog.Claims(origin, from, 1)
	rich.Logs = []string{"a.example", origin}
	rich.Initiator, rich.Financer = "steward", "manufacturer"
	rich.SupportUntil, rich.Supersedes, rich.Programme = index(from+1), &first.ID, &p.ID
	rich.Support = &entry.Support{Asks: "sponsorship", URL: "https://support.example/"}
	rich.Scopes = []entry.Scope{
		{Purl: "pkg:npm/express"},
		{Purl: "pkg:npm/lodash", Vers: "vers:npm/>=4.0.0|<5.0.0", From: index(from), To: index(from + 1)},
	}
	rich.Claims.Items[0].Evidence = &first.ID
	add("attestation of everything", key, testlog.Attest(key, rich, express, rich.Scopes[0].Subject(), rich.Scopes[1].Subject()))

	add("revocation revoke", key, testlog.Revoke(origin, 10, key, first.ID, p.ID))
	hold := testlog.Hold(origin, from+1000, key, testlog.Target{ID: first.ID, Last: 11}, testlog.Target{ID: p.ID, Last: 12})
	add("revocation hold", key, hold)
	add("revocation reinstate", key, testlog.Reinstate(origin, hold.ID, key, first.ID))
	claimed := testlog.WithdrawClaims(origin, 12, key, []string{"BR.01", "BR.02"}, first.ID, p.ID)
	add("revocation claims", key, claimed)
	add("revocation claims by programme", key, testlog.InTheNameOf(publish.ID, claimed, key))
	add("revocation by programme", key, testlog.Sign(key, &entry.Revocation{
		Log: origin, Action: entry.ActionRevoke, Programme: &p.ID,
	}, entry.AttestationSubject(first.ID)))
	return out
}

// sampled returns the sample of a name.
func sampled(name string) *entry.Entry {
	for _, s := range samples() {
		if s.name == name {
			return s.Entry
		}
	}
	panic("no sample " + name)
}

func TestGoodVectors(t *testing.T) {
	var vectors []goodVector
	for _, s := range samples() {
		vectors = append(vectors, goodVector{
			s.name, s.Leaf, hex.EncodeToString(s.KeyID[:]), s.by.Public().SPKI(), s.IDString(), string(s.Kind),
		})
	}
	golden(t, "good.json", vectors)
	for _, v := range read[goodVector](t, "good.json") {
		key, err := entry.ParseKey(v.SPKI)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		e, err := entry.Parse(v.Leaf)
		if err == nil {
			err = e.Verify(key)
		}
		if err != nil || e.IDString() != v.ID || string(e.Kind) != v.Kind || hex.EncodeToString(e.KeyID[:]) != v.KeyID {
			t.Errorf("%s: %+v, %v", v.Name, e, err)
		}
	}
}

func TestBadVectors(t *testing.T) {
	vectors := slicesOf(badEnvelopes(), badJSON(), badStatements(), badAttestations(), badEvents())
	golden(t, "malicious.json", vectors)
	seen := map[string]bool{}
	for _, v := range read[badVector](t, "malicious.json") {
		if seen[v.Name] {
			t.Errorf("two vectors are named %q", v.Name)
		}
		seen[v.Name] = true
		_, err := entry.Parse(v.Leaf)
		if got := reason.CodeOf(err); got != v.Code || err == nil {
			t.Errorf("%s: Parse says %v, should say %s", v.Name, err, v.Code)
		}
		if row := reason.Lookup(v.Code); row.NextStep == "" || row.HTTP < 400 {
			t.Errorf("%s: no next step for %s", v.Name, v.Code)
		}
	}
}

func slicesOf[V any](lists ...[]V) (out []V) {
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// signed puts a payload into a leaf, whatever it is.
func signed(payload string) []byte {
	return testlog.Leaf(testlog.NewKey("bad", false), []byte(payload))
}

// change replaces old, which MUST be in s, by new.
func change(s, old, new string) string {
	if !bytes.Contains([]byte(s), []byte(old)) {
		panic("nothing to replace: " + old + " is not in " + s)
	}
	return string(bytes.Replace([]byte(s), []byte(old), []byte(new), 1))
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
