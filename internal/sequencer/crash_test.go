package sequencer

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/admission"
	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/seal"
)

// acknowledged is an entry and what its submitter was told.
type acknowledged struct {
	*admission.Entry
	Result
}

// image is the world as a crash could leave it.
type image struct {
	fs     *vfs.MemFS
	what   string
	acked  int    // of camera.acked
	record []byte // what the witness keeps: it is another machine
	signed map[uint64]backend.Hash
}

// camera takes an image before each operation that changes the file system.
type camera struct {
	*rig
	store *witness.MemStore

	mu     sync.Mutex // also held while files are renamed; see recycler
	rng    *rand.Rand
	images []image

	acks  sync.Mutex
	acked []acknowledged
}

func (c *camera) String() string { return "camera" }

// MaybeError implements errorfs.Injector. What was acknowledged, cosigned and
// signed is read before the image is taken: it must be in it.
func (c *camera) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Mostly the extremes: all that was not synced is lost, or none of it.
	kept := []int{0, 0, 100, 50, 1 + c.rng.IntN(99)}[c.rng.IntN(5)]
	img := image{what: fmt.Sprintf("operation %d on %s, %d %% kept", op.Kind, op.Path, kept)}
	c.acks.Lock()
	img.acked = len(c.acked)
	c.acks.Unlock()
	img.record, _ = c.store.Latest(c.Context(), testOrigin) // it has no errors
	c.rig.mu.Lock()
	img.signed = maps.Clone(c.signed)
	c.rig.mu.Unlock()
	img.fs = c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: c.rng})
	c.images = append(c.images, img)
	return nil
}

// recycler wraps files that are reused, which errorfs leaves out, and keeps the
// camera still meanwhile: MemFS takes a lock twice there, and a clone in
// between would wait for ever.
type recycler struct {
	vfs.FS
	c *camera
}

func (r recycler) ReuseForWrite(from, to string, k vfs.DiskWriteCategory) (vfs.File, error) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	f, err := r.FS.ReuseForWrite(from, to, k)
	if err != nil {
		return nil, err
	}
	return errorfs.WrapFile(f, r.c), nil
}

func (r recycler) Link(from, to string) error {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	return r.FS.Link(from, to)
}

// shoot takes turns, each with publication, under the camera.
func (c *camera) shoot(turns int) {
	c.Helper()
	b := c.rig.store(errorfs.Wrap(recycler{c.fs, c}, c))
	s := c.open(b)
	take := func(entries ...*admission.Entry) {
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
	var standing []*admission.Entry
	for n := range turns {
		batch := []*admission.Entry{c.attest(n * 10)}
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
}

// publishes cosigns and publishes what is signed.
func (r *rig) publishes(s *Sequencer) error { return s.publishOne(r.Context(), s.signed) }

// TestCrash opens the log as every crash during many turns could leave it: at
// each operation of append, reserve and publish. Whatever was acknowledged is
// there and proves; nothing that was ever signed or cosigned contradicts
// anything else; and the log goes on, with the witness as the crash found it.
func TestCrash(t *testing.T) {
	c := &camera{rig: newRig(t), store: new(witness.MemStore), rng: rand.New(rand.NewPCG(3, 4))}
	c.meetWitness(c.store)
	c.shoot(20)
	if len(c.images) < 300 {
		t.Errorf("%d crash images, want 300", len(c.images))
	}
	t.Logf("%d crash images, %d acknowledged entries, %d signed checkpoints", len(c.images), len(c.acked), len(c.signed))
	b := c.rig.store(c.fs)
	truth := roots(t, b)
	replay(t, b)
	c.must(b.Close())
	for n := range c.images {
		img := &c.images[n]
		if !t.Run(fmt.Sprint(n), func(t *testing.T) { img.check(t, c, truth, n%20 == 0) }) {
			t.Fatalf("image %d, %d acknowledged: %s", n, img.acked, img.what)
		}
		img.fs = nil
	}
}

// roots returns the roots of all sizes of the tree in b.
func roots(t *testing.T, b backend.Backend) []Hash {
	t.Helper()
	tree := ranges.NewEmptyRange(0)
	root, err := rootOf(tree)
	out := []Hash{root}
	for _, leaf := range leaves(t, b) {
		if err == nil {
			err = tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil)
		}
		if err == nil {
			root, err = rootOf(tree)
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
func (img *image) check(t *testing.T, c *camera, truth []Hash, thorough bool) {
	r := &rig{
		TB: t, fs: img.fs, vkey: c.vkey, clock: c.clock, registrar: c.registrar, party: c.party, signed: img.signed,
	}
	r.signer = recorder{c.signer.(recorder).Signer, r}
	store := new(witness.MemStore)
	if img.record != nil {
		r.must(store.Update(t.Context(), testOrigin, func([]byte) ([]byte, error) { return img.record, nil }))
	}
	r.meetWitness(store)
	b := r.store(img.fs)
	defer func() { r.must(b.Close()) }()
	s := r.open(b)
	for size, root := range r.signed {
		if root != truth[size] {
			t.Errorf("signed root %x at size %d, the log has %x", root, size, truth[size])
		}
	}
	for _, a := range c.acked[:img.acked] {
		a.expect(t, b)
	}
	// The witness accepts what start-up signed, and what comes then.
	r.must(r.publishes(s))
	size := s.SignedSize()
	next := c.acked[0].Entry // the enrolment, if it is not there yet
	if _, _, ok, err := Lookup(b, next.ID); ok {
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
	index, sealed, ok, err := Lookup(b, a.ID)
	if err != nil || !ok || index != a.Index || sealed != a.Sealed {
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
