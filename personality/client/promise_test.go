package client

import (
	"errors"
	"testing"

	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/trust"
)

// TestPromised: a promise of the log about anything but what was sent and
// answered is refused.
func TestPromised(t *testing.T) {
	const origin = "log.example/a"
	skey, vkey, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := trust.Parse([]byte("log " + vkey + "\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	log, _ := policy.Log(origin)
	c := &Client{cfg: Config{Log: log}}
	party := testlog.NewParty("p", 1)
	sent := testlog.Attest(party.Keys[0], testlog.Claims(origin, 1_795_000_000, 3), testlog.Component("pkg:npm/left@1.0.0"))
	other := testlog.Attest(party.Keys[0], testlog.Claims(origin, 1_795_000_000, 3), testlog.Component("pkg:npm/left@1.0.1"))
	right := promise.Promise{Origin: origin, ID: sent.IDString(), Index: 7, Size: 9, LeafHash: promise.Hash(rfc6962.DefaultHasher.HashLeaf(sent.Leaf))}
	answered := Result{ID: sent.IDString(), Index: 7, SealedSize: 9}
	try := func(p promise.Promise, r Result, envelope []byte) error {
		files, err := promise.Sign(signer, p)
		if err != nil {
			t.Fatal(err)
		}
		r.Promise = files[0]
		return c.promised(&r, envelope)
	}
	if err := try(right, answered, sent.Leaf); err != nil {
		t.Error(err)
	}
	known := answered
	known.Duplicate = true
	withOther := func(change func(*promise.Promise)) promise.Promise { p := right; change(&p); return p }
	otherLeaf := withOther(func(p *promise.Promise) { p.LeafHash[0] ^= 1 })
	if err := try(otherLeaf, known, sent.Leaf); err != nil {
		t.Error("another signature of the same event:", err)
	}
	for name, err := range map[string]error{
		"leaf":     try(otherLeaf, answered, sent.Leaf),
		"index":    try(withOther(func(p *promise.Promise) { p.Index-- }), answered, sent.Leaf),
		"size":     try(withOther(func(p *promise.Promise) { p.Size++ }), answered, sent.Leaf),
		"id":       try(withOther(func(p *promise.Promise) { p.ID = other.IDString() }), answered, sent.Leaf),
		"envelope": try(right, answered, other.Leaf),
		"no entry": try(right, answered, []byte("{}")),
		"garbage":  c.promised(&Result{Promise: []byte("promise")}, sent.Leaf),
	} {
		if !errors.Is(err, ErrPromise) {
			t.Errorf("%s: %v", name, err)
		}
	}
	none := &Client{}
	r := Result{Promise: []byte("promise")}
	if err := none.promised(&r, sent.Leaf); err != nil || r.Promise != nil {
		t.Errorf("without keys: %q, %v", r.Promise, err)
	}
}
