package sequencer

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/crashcam"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/treehash"
)

// acknowledged is an entry and what its submitter was told.
type acknowledged struct {
	*entry.Entry
	Result
}

// promised is what an image of the file system has to go with.
type promised struct {
	acked  int    // of shoot.acked
	record []byte // what the witness keeps: it is another machine
	signed map[uint64]backend.Hash
}

type image crashcam.Image[promised]

// shoot is a log under the camera.
type shoot struct {
	*rig
	store *witness.MemStore

	acks  sync.Mutex
	acked []acknowledged // under acks
}

// promised says what was acknowledged, cosigned and signed by now.
func (c *shoot) promised() (p promised) {
	c.acks.Lock()
	p.acked = len(c.acked)
	c.acks.Unlock()
	p.record, _ = c.store.Latest(c.Context(), testOrigin) // it has no errors
	c.rig.mu.Lock()
	defer c.rig.mu.Unlock()
	p.signed = maps.Clone(c.signed)
	return p
}

// turns takes turns, each with publication, and returns the images.
func (c *shoot) turns(turns int) []crashcam.Image[promised] {
	c.Helper()
	cam := crashcam.New(c.fs, 3, c.promised)
	b := c.rig.store(cam.FS())
	s := c.open(b)
	take := func(entries ...*entry.Entry) {
		c.Helper()
		results := c.takes(s, entries...)
		c.acks.Lock()
		for n, e := range entries {
			c.acked = append(c.acked, acknowledged{e, results[n]})
		}
		c.acks.Unlock()
		c.must(c.publishes(s))
	}
	c.party = testlog.NewParty("steward", 2)
	take(c.verified(c.party.Enrol(testOrigin, c.registrar), c.registrar))
	var standing []*entry.Entry
	for n := range turns {
		batch := []*entry.Entry{c.attest(n * 10)}
		for m := range n % 4 {
			batch = append(batch, c.attest(n*10+m+1))
		}
		standing = append(standing, batch...)
		if n%3 == 2 {
			batch = append(batch, c.revoke(standing[n], standing[n-1]))
			standing = slices.Delete(standing, n-1, n+1)
		}
		if n%7 == 6 {
			k := testlog.NewKey(fmt.Sprint("added ", n), n%2 == 0)
			batch = append(batch, c.verified(testlog.AddKey(testOrigin, c.party.ID, k, c.party.Recovery), c.party.Recovery))
		}
		take(batch...)
	}
	c.must(b.Close())
	return cam.Images()
}

// publishes cosigns and publishes what is signed.
func (r *rig) publishes(s *Sequencer) error { return s.publishOne(r.Context(), s.signed) }

// TestCrash opens the log as every crash during many turns could leave it: at
// each operation of append, reserve and publish. Whatever was acknowledged is
// there and proves; nothing that was ever signed or cosigned contradicts
// anything else; and the log goes on, with the witness as the crash found it.
func TestCrash(t *testing.T) {
	c := &shoot{rig: newRig(t), store: new(witness.MemStore)}
	c.meetWitness(c.store)
	images := c.turns(24)
	if len(images) < 250 {
		t.Errorf("%d crash images, want 250", len(images))
	}
	t.Logf("%d crash images, %d acknowledged entries, %d signed checkpoints", len(images), len(c.acked), len(c.signed))
	b := c.rig.store(c.fs)
	truth := roots(t, b)
	replay(t, b)
	c.must(b.Close())
	for n := range images {
		img := (*image)(&images[n])
		if !t.Run(fmt.Sprint(n), func(t *testing.T) { img.check(t, c, truth, n%20 == 0) }) {
			t.Fatalf("image %d, %d acknowledged: %s", n, img.Promised.acked, img.What)
		}
		img.FS = nil
	}
}

// roots returns the roots of all sizes of the tree in b.
func roots(t *testing.T, b backend.Backend) []Hash {
	t.Helper()
	tree := treehash.Empty()
	root, err := treehash.Root(tree)
	out := []Hash{root}
	for _, leaf := range leaves(t, b) {
		if err == nil {
			err = tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil)
		}
		if err == nil {
			root, err = treehash.Root(tree)
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, root)
	}
	return out
}

// check opens the image and goes on from it. What it signs after that is a
// world of its own; what start-up signs is not.
func (img *image) check(t *testing.T, c *shoot, truth []Hash, thorough bool) {
	r := &rig{
		TB: t, fs: img.FS, vkey: c.vkey, clock: c.clock, registrar: c.registrar, party: c.party, signed: img.Promised.signed,
	}
	r.signer = recorder{c.signer.(recorder).Signer, r}
	store := new(witness.MemStore)
	if img.Promised.record != nil {
		r.must(store.Update(t.Context(), testOrigin, func([]byte) ([]byte, error) { return img.Promised.record, nil }))
	}
	r.meetWitness(store)
	b := r.store(img.FS)
	defer func() { r.must(b.Close()) }()
	s := r.open(b)
	for size, root := range r.signed {
		if root != truth[size] {
			t.Errorf("signed root %x at size %d, the log has %x", root, size, truth[size])
		}
	}
	for _, a := range c.acked[:img.Promised.acked] {
		a.expect(t, b)
	}
	// The witness accepts what start-up signed, and what comes then.
	r.must(r.publishes(s))
	size := s.SignedSize()
	next := c.acked[0].Entry // the enrolment, if it is not there yet
	if _, ok, err := Lookup(b, nil, next.ID); ok {
		next = r.attest(100_000)
	} else {
		r.must(err)
	}
	if got := r.takes(s, next)[0]; got.Index != size || got.Sealed != size+2 {
		t.Errorf("the next entry after size %d: %+v", size, got)
	}
	r.must(r.publishes(s))
	if got := s.PublishedSize(); got != size+2 {
		t.Errorf("published size %d", got)
	}
	checkSeals(t, b)
	if thorough {
		replay(t, b)
	}
}

// expect looks for an acknowledged entry and proves it against the newest seal.
func (a *acknowledged) expect(t *testing.T, b backend.Backend) {
	t.Helper()
	index, ok, err := Lookup(b, nil, a.ID)
	view := b.View()
	defer view.Close()
	sealed, sealErr := sealedAfter(view, index)
	if err = cmp.Or(err, sealErr); err != nil || !ok || index != a.Index || sealed != a.Sealed {
		t.Fatalf("acknowledged at %d, sealed at %d: now %t, at %d, sealed at %d: %v", a.Index, a.Sealed, ok, index, sealed, err)
	}
	root, err := b.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := b.Leaves(t.Context(), index, 1)
	if err != nil || !bytes.Equal(leaf[0], a.Leaf) {
		t.Fatalf("leaf %d: %v", index, err)
	}
	path, err := b.InclusionProof(t.Context(), index, root.Size)
	hashes := make([][]byte, len(path))
	for i := range path {
		hashes[i] = path[i][:]
	}
	if err == nil {
		err = proof.VerifyInclusion(rfc6962.DefaultHasher, index, root.Size, a.LeafHash[:], hashes, root.Hash[:])
	}
	if err != nil {
		t.Fatalf("leaf %d: %v", index, err)
	}
	if a.Attestation != nil {
		a.expectRecord(t, b)
	}
}

func (a *acknowledged) expectRecord(t *testing.T, b backend.Backend) {
	t.Helper()
	view := b.View()
	defer view.Close()
	m, err := mapstore.Open(view, nil)
	if err != nil {
		t.Fatal(err)
	}
	record, _, err := m.Prove(mapfn.NSAttestation, a.ID[:])
	if err != nil {
		t.Fatal(err)
	}
	if got, err := mapfn.ParseAttestation(record); err != nil || got.Issued != a.Index || Hash(got.Leaf) != a.LeafHash {
		t.Fatalf("record of the attestation at %d: %s, %v", a.Index, record, err)
	}
}

// checkSeals reads every leaf: a seal says its own index, none stands behind
// another, and the last leaf is one.
func checkSeals(t *testing.T, b backend.Backend) {
	t.Helper()
	behind := false
	for n, leaf := range leaves(t, b) {
		is := seal.Is(leaf)
		if is {
			if got, err := seal.Parse(leaf); err != nil || got.Index != uint64(n) || behind {
				t.Fatalf("leaf %d is a seal of %+v behind a seal (%t): %v", n, got, behind, err)
			}
		}
		behind = is
	}
	if !behind {
		t.Fatal("the last leaf is not a seal")
	}
}
