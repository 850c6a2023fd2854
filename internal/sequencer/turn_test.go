package sequencer

import (
	"context"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
)

// TestOrder looks at the order in which a batch is taken: what the entry at
// each place of arrival becomes.
func TestOrder(t *testing.T) {
	s := start(t, nil)
	old := []*entry.Entry{s.attest(1), s.attest(2), s.attest(3)}
	s.submit(old...)
	k := s.party.Keys[0]
	added := testlog.NewKey("added", false)
	other := testlog.NewParty("other", 1)
	enrol := s.verified(other.Enrol(testOrigin, s.registrar), s.registrar)
	add := s.verified(testlog.AddKey(testOrigin, s.party.ID, added, s.party.Recovery), s.party.Recovery)
	retire := s.verified(testlog.RetireKey(testOrigin, added.ID(), s.party.Recovery), s.party.Recovery)
	end := s.verified(testlog.EndParty(testOrigin, other.ID, s.registrar), s.registrar)
	hold := s.verified(testlog.Hold(testOrigin, uint64(s.clock.Now().Unix())+86400, k, testlog.Target{ID: old[1].ID, Last: 5}), k)
	fresh := s.attest(4)
	for name, c := range map[string]struct {
		batch []*entry.Entry
		want  []int
	}{
		"arrival":                        {[]*entry.Entry{fresh, s.attest(5), s.attest(6)}, []int{0, 1, 2}},
		"withdrawals first":              {[]*entry.Entry{fresh, s.revoke(old[0]), s.attest(5), hold}, []int{1, 3, 0, 2}},
		"behind a target":                {[]*entry.Entry{s.revoke(fresh), fresh, s.revoke(old[0])}, []int{2, 1, 0}},
		"behind one of two targets":      {[]*entry.Entry{s.revoke(fresh, old[0]), s.attest(5), fresh}, []int{1, 2, 0}},
		"a key retired behind its start": {[]*entry.Entry{retire, add, fresh}, []int{1, 2, 0}},
		"a party ended behind its start": {[]*entry.Entry{end, fresh, enrol}, []int{1, 2, 0}},
		"a key added is no withdrawal":   {[]*entry.Entry{fresh, add}, []int{0, 1}},
	} {
		items := itemsOf(c.batch)
		var got []int
		for _, i := range order(items) {
			got = append(got, slices.Index(items, i))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: order %v, want %v", name, got, c.want)
		}
	}
	// The same through the door: nothing is refused for its place.
	s.submit(retire, end, s.revoke(fresh), s.revoke(old[0]), fresh, enrol, add)
	s.replay()
}

// TestDuplicates submits again what was accepted: in the same batch, later,
// with another valid signature, and after a restart.
func TestDuplicates(t *testing.T) {
	s := start(t, nil)
	s.stop()
	w := s.rig.open(s.b)
	p256 := s.party.Keys[1]
	e := s.verified(testlog.Attest(p256, testlog.Claims(testOrigin, 1_795_000_000, 5), testlog.Component("pkg:npm/a@1")), p256)
	twin := s.verified(otherSignature(t, e), p256)
	if twin.ID != e.ID || twin.LeafHash == e.LeafHash {
		t.Fatal("the twin is not one")
	}
	size := w.SignedSize()
	first := s.takes(w, s.attest(1), e, twin, s.attest(1))
	want := []Result{{size, size + 3, false}, {size + 1, size + 3, false}, {size + 1, size + 3, true}, {size, size + 3, true}}
	if !slices.Equal(first, want) {
		t.Errorf("first: %+v, want %+v", first, want)
	}
	if got := s.takes(w, twin, e)[0]; got != want[2] || w.SignedSize() != size+3 {
		t.Errorf("again: %+v at size %d", got, w.SignedSize())
	}
	w = s.rig.open(s.b)
	if got := s.takes(w, twin)[0]; got != want[2] {
		t.Errorf("after a restart: %+v", got)
	}
	replay(t, s.b)
}

// otherSignature returns e with the other ECDSA signature that verifies: (r,
// n − s) beside (r, s).
func otherSignature(t *testing.T, e *entry.Entry) *entry.Entry {
	t.Helper()
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(e.Signature, &sig); err != nil {
		t.Fatal(err)
	}
	n, _ := new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
	sig.S.Sub(n, sig.S)
	der, err := asn1.Marshal(sig)
	if err != nil {
		t.Fatal(err)
	}
	twin, err := entry.Parse(testlog.Envelope(e.Payload, e.KeyID, der))
	if err != nil {
		t.Fatal(err)
	}
	return twin
}

// TestRefused gives the sequencer what the map function ignores: each entry has
// its code, the others of the batch go through, a batch of nothing else writes
// nothing.
func TestRefused(t *testing.T) {
	s := start(t, nil)
	s.submit(s.attest(1))
	s.stop()
	w := s.rig.open(s.b)
	size := w.SignedSize()
	gone := testlog.NewKey("gone", false)
	unknown := s.verified(testlog.Revoke(testOrigin, 0, s.party.Keys[0], Hash{1}), s.party.Keys[0])
	foreign := s.verified(testlog.Attest(s.registrar, testlog.Claims(testOrigin, 1, 5), testlog.Component("pkg:npm/a@1")), s.registrar)
	stranger := s.verified(testlog.Attest(gone, testlog.Claims(testOrigin, 1, 5), testlog.Component("pkg:npm/a@1")), gone)
	elsewhere := s.verified(testlog.Attest(s.party.Keys[0], testlog.Claims("log.example/other", 1, 5), testlog.Component("pkg:npm/a@1")), s.party.Keys[0])
	codes := []reason.Code{reason.TargetUnknown, reason.RoleNotAllowed, reason.KeyUnknown, reason.WrongLog, ""}
	batch := itemsOf([]*entry.Entry{unknown, foreign, stranger, elsewhere})
	s.must(w.turn(t.Context(), batch))
	if got := w.SignedSize(); got != size {
		t.Errorf("signed size %d for nothing", got)
	}
	batch = itemsOf([]*entry.Entry{unknown, foreign, stranger, elsewhere, s.attest(2), unknown})
	s.must(w.turn(t.Context(), batch))
	for n, want := range append(codes, reason.TargetUnknown) {
		if got := reason.CodeOf(batch[n].err); got != want {
			t.Errorf("entry %d: code %q, want %q", n, got, want)
		}
	}
	if got := w.SignedSize(); got != size+2 {
		t.Errorf("signed size %d, want %d", got, size+2)
	}
	replay(t, s.b)
}

// TestClock steps the clock back between turns: no seal is dated before the
// one before it.
func TestClock(t *testing.T) {
	s := start(t, nil)
	s.stop()
	w := s.rig.open(s.b)
	for n := range 6 {
		s.takes(w, s.attest(n))
		s.clock.add([]time.Duration{-time.Hour, 30 * time.Minute, time.Second}[n%3])
		if n == 3 {
			w = s.rig.open(s.b)
		}
	}
	var last uint64
	for n, leaf := range leaves(t, s.b) {
		if got, err := seal.Parse(leaf); err == nil {
			if got.SealedAt < last {
				t.Errorf("seal %d is dated %d, after %d", n, got.SealedAt, last)
			}
			last = got.SealedAt
		}
	}
	replay(t, s.b)
}

// TestManyTurns submits from many goroutines while the log is published: every
// batch has one seal, and altreader agrees with each.
func TestManyTurns(t *testing.T) {
	s := start(t, func(c *Config) { c.BatchMax = 16 })
	const writers, each = 8, 12
	entries := make([]*entry.Entry, writers*each)
	for n := range entries {
		entries[n] = s.attest(n)
	}
	errs := make(chan error)
	for w := range writers {
		go func() {
			var err error
			for n := w; n < len(entries); n += writers {
				res, failed := s.Submit(t.Context(), entries[n])
				if failed == nil && n%3 == 0 {
					failed = s.WaitPublished(t.Context(), res.Sealed)
				}
				err = errors.Join(err, failed)
			}
			errs <- err
		}()
	}
	for range writers {
		s.must(<-errs)
	}
	s.must(s.WaitPublished(t.Context(), s.SignedSize()))
	cp, err := Published(s.b)
	s.must(err)
	opened, err := s.policy.Open(cp, s.clock.Now())
	s.must(err)
	if !opened.Witnessed || opened.Size != s.SignedSize() {
		t.Errorf("published size %d of %d, witnessed: %t", opened.Size, s.SignedSize(), opened.Witnessed)
	}
	s.stop()
	s.replay()
}

// TestQueueFull offers more than a queue holds. The other queue has its own
// room.
func TestQueueFull(t *testing.T) {
	s := start(t, nil)
	s.submit(s.attest(0))
	s.stop()
	cfg := s.config(s.b)
	cfg.QueueMax = 2
	w, err := Open(t.Context(), cfg)
	s.must(err)
	for n, want := range []reason.Code{"", "", reason.Busy, reason.Busy} {
		if _, err := w.offer(s.attest(n)); reason.CodeOf(err) != want {
			t.Errorf("entry %d: %v, want code %q", n, err, want)
		}
	}
	for n, want := range []reason.Code{"", "", reason.Busy} {
		if _, err := w.offer(s.revoke(s.attest(n))); reason.CodeOf(err) != want {
			t.Errorf("withdrawal %d: %v, want code %q", n, err, want)
		}
	}
	// A batch leaves room for withdrawals.
	cfg.BatchMax, cfg.QueueMax = 8, 100
	w, err = Open(t.Context(), cfg)
	s.must(err)
	for n := range 20 {
		if _, err := w.offer(s.attest(n)); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(w.gather(t.Context(), nil)); got != 6 {
		t.Errorf("a batch of %d entries without a withdrawal, want 6", got)
	}
	for n := range 20 {
		if _, err := w.offer(s.revoke(s.attest(n))); err != nil {
			t.Fatal(err)
		}
	}
	batch := w.gather(t.Context(), nil)
	n := 0
	for _, i := range batch {
		if Withdraws(i.Entry) {
			n++
		}
	}
	if len(batch) != 8 || n < 2 {
		t.Errorf("a batch of %d entries with %d withdrawals, want 8 with 2 or more", len(batch), n)
	}
	// A quarter of one does not wait: a full one might never come.
	cfg.BatchMax, cfg.Interval, cfg.FirstInterval = 8, time.Hour, time.Hour
	w, err = Open(t.Context(), cfg)
	s.must(err)
	for n := range 2 {
		if _, err := w.offer(s.attest(n)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got := len(w.gather(ctx, nil)); got != 2 || ctx.Err() != nil {
		t.Errorf("a batch of %d entries, after an hour perhaps: %v", got, ctx.Err())
	}
}

// TestBacklog lets no cosigner answer: beyond the backlog the log takes
// withdrawals only, until there is a quorum again.
func TestBacklog(t *testing.T) {
	down := make(chan bool, 1)
	down <- false
	s := start(t, func(c *Config) {
		c.Backlog = 4
		inner := c.Cosign
		c.Cosign = func(ctx context.Context, cp []byte, size uint64) ([]byte, error) {
			is := <-down
			down <- is
			if is {
				return nil, errors.New("down")
			}
			return inner(ctx, cp, size)
		}
	})
	target := s.attest(1)
	s.must(s.WaitPublished(t.Context(), s.submit(target)[0].Sealed))
	<-down
	down <- true
	s.submit(s.attest(2))
	s.submit(s.attest(3))
	s.submit(s.attest(4)) // six leaves wait now
	s.refused(s.attest(5), reason.Backlog)
	s.submit(s.revoke(target))
	s.refused(s.attest(5), reason.Backlog)
	<-down
	down <- false
	s.must(s.WaitPublished(t.Context(), s.SignedSize()))
	s.submit(s.attest(5))
}

// TestShutdown stops the log: what was begun is finished and answered, what
// waits is told, and so is who comes later.
func TestShutdown(t *testing.T) {
	r := newRig(t)
	b := r.store(r.fs)
	defer b.Close()
	appending, goOn := make(chan struct{}, 2), make(chan struct{})
	slow := &faulty{Backend: b}
	s := r.run(slow, func(c *Config) { c.BatchMax = 1 })
	s.enrol()
	slow.append = func([][]byte, []backend.Write) error {
		appending <- struct{}{}
		<-goOn
		return nil
	}
	// One is being written, one is drafted or about to be, one is queued.
	items := make([]*item, 3)
	for n := range items {
		var err error
		items[n], err = s.offer(r.attest(n))
		r.must(err)
		if n == 0 {
			<-appending
		}
		for n < 2 && len(s.entries) > 0 {
			time.Sleep(time.Millisecond)
		}
	}
	published := make(chan error, 1)
	go func() { published <- s.WaitPublished(context.Background(), 1000) }()
	s.cancel()
	close(goOn)
	if res, err := s.await(context.Background(), items[0]); err != nil || res.Sealed == 0 {
		t.Errorf("what was begun: %+v, %v", res, err)
	}
	for n, i := range items[1:] {
		res, err := s.await(context.Background(), i)
		if n == 1 && err == nil || err != nil && reason.CodeOf(err) != reason.ShuttingDown {
			t.Errorf("what waited: %+v, %v", res, err)
		}
		if _, ok, lookupErr := Lookup(b, nil, i.ID); lookupErr != nil || ok != (err == nil) {
			t.Errorf("what waited is in the log: %t, %v; its submitter was told %v", ok, lookupErr, err)
		}
	}
	if err := <-published; reason.CodeOf(err) != reason.ShuttingDown {
		t.Errorf("who waited for publication: %v", err)
	}
	s.stop()
	s.refused(r.attest(9), reason.ShuttingDown)
	if err := s.Err(); err != nil {
		t.Errorf("the writer has failed: %v", err)
	}
	replay(t, b)
}

// TestContext ends the context of a submitter: it is answered at once, and its
// entry is in the log all the same.
func TestContext(t *testing.T) {
	s := start(t, nil)
	s.stop()
	w := s.rig.open(s.b)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := s.attest(1)
	if _, err := w.Submit(ctx, e); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := w.WaitPublished(ctx, 1000); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	s.must(w.turn(t.Context(), w.gather(t.Context(), nil)))
	if _, ok, err := Lookup(s.b, nil, e.ID); !ok || err != nil {
		t.Errorf("looked up: %t, %v", ok, err)
	}
	if _, ok, err := Lookup(s.b, nil, Hash{}); ok || err != nil {
		t.Errorf("looked up what is not there: %t, %v", ok, err)
	}
}

// TestKeys finds the keys that entries have brought.
func TestKeys(t *testing.T) {
	s := start(t, nil)
	keys := KeyStore{Backend: s.b}
	for n, k := range []*testlog.Key{s.registrar, testlog.NewKey("root", false), s.party.Recovery, s.party.Keys[0], s.party.Keys[1]} {
		if got, err := keys.SPKI(k.ID()); err != nil || fmt.Sprintf("%x", got) != fmt.Sprintf("%x", k.Public().SPKI()) {
			t.Errorf("key %d: %x, %v", n, got, err)
		}
	}
	if got, err := keys.SPKI(Hash{}); got != nil || err != nil {
		t.Errorf("a key that is not there: %x, %v", got, err)
	}
}

// TestRoom fills the disk up to its reserve: withdrawals go on.
func TestRoom(t *testing.T) {
	var full atomic.Bool
	s := start(t, func(c *Config) {
		c.Room = func() error {
			if full.Load() {
				return reason.Errorf(reason.NoSpace, "3 MiB are free")
			}
			return nil
		}
	})
	target := s.attest(1)
	s.submit(target)
	full.Store(true)
	s.refused(s.attest(2), reason.NoSpace)
	s.submit(s.revoke(target))
	full.Store(false)
	s.submit(s.attest(2))
	s.must(s.Err())
}
