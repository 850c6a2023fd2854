// Package sequencer is the one writer of a log. It takes admitted entries,
// orders them, runs the map function on each, and appends them in batches: one
// batch is one seal is one checkpoint.
//
// A turn, in this order:
//
//	order     withdrawals first; drop what the map function ignores
//	append    leaves, the seal last, and the state, in one durable write; from
//	          here on the next turn's order is under way
//	read back what is stored now, and hash all of it again
//	reserve   compare-and-swap of (size, root) last signed
//	sign      only what was reserved, never a tree that does not extend it
//	answer    the submitters: their entries are durable and under a seal
//
// The publisher then has the newest signed checkpoint cosigned and publishes it
// once the quorum is there.
//
// Invariants:
//
//   - Every tree that is signed ends in a live seal and extends every tree that
//     was signed before, whatever crashed in between.
//   - What a submitter was told is durable and provable.
//   - Any doubt about the store stops the writer for good (until a restart has
//     checked it); reading goes on.
//
// Each step says what happens if we crash there.
package sequencer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/trust"
)

// Hash is a SHA-256 value.
type Hash = [32]byte

// Config is what a Sequencer needs.
type Config struct {
	Origin  string
	Backend backend.Backend
	// Signers sign checkpoints. The first is Ed25519, named by the origin.
	Signers []note.Signer
	// Policy says when a checkpoint has its quorum. Its log is this one.
	Policy *trust.Policy
	// Cosign asks the cosigners for their lines on a signed checkpoint of the
	// given size and returns it once it has its quorum. An error of class
	// ErrRestored means that cosigners have seen more of this log, one of class
	// ErrDoubt that they may have.
	Cosign func(ctx context.Context, checkpoint []byte, size uint64) ([]byte, error)
	// Late, unless nil, brings what Cosign returned last with further lines, and
	// never what it returned before that.
	Late <-chan []byte

	// Interval is the time from a batch's first entry to its turn, if a quarter of a
	// full one does not wait before.
	Interval time.Duration
	// FirstInterval replaces it for the first entry after idleness.
	FirstInterval time.Duration
	// BatchMax is the greatest number of entries of a turn.
	BatchMax int
	// QueueMax bounds each of the two queues.
	QueueMax int
	// Backlog is the number of leaves that may be signed and not published
	// before only withdrawals are taken.
	Backlog uint64
	// Refresh is how often the published checkpoint is cosigned anew.
	Refresh time.Duration
	// Retry is the pause after an attempt that got no quorum.
	Retry time.Duration

	// Room says whether there is room on the disk: an error refuses all but
	// withdrawals. Nil means that there always is.
	Room func() error
	// Halted, unless nil, is told once why the writer has stopped.
	Halted func(error)

	Now     func() time.Time
	Log     *slog.Logger
	Metrics *Metrics
}

// Defaults fills the zero fields that have a default.
func (c Config) Defaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.Interval, time.Second)
	def(&c.FirstInterval, 100*time.Millisecond)
	def(&c.Refresh, 10*time.Minute)
	def(&c.Retry, time.Second)
	if c.BatchMax == 0 {
		c.BatchMax = 2048
	}
	if c.QueueMax == 0 {
		c.QueueMax = 4 * c.BatchMax
	}
	if c.Backlog == 0 {
		c.Backlog = 10000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(metric.New(nil))
	}
	return c
}

// ErrRestored means that a cosigner has seen a larger or another tree of this
// log than the store holds: the store is a restored backup, or a second writer
// is at work. Nothing is signed any more.
var ErrRestored = errors.New("a cosigner has seen more of this log than the store holds")

// ErrDoubt means that a cosigner says so, and that too few others answer to know
// better. Nothing is signed until they do.
var ErrDoubt = errors.New("a cosigner may have seen more of this log than the store holds")

// Sequencer writes one log. Submit and the readers are safe for concurrent use.
type Sequencer struct {
	cfg   Config
	cache *mapstore.Cache

	withdrawals chan *item
	entries     chan *item

	// Owned by the goroutine of Run, after Open.
	tree     *compact.Range // of the leaves drafted
	lastSeal lastSeal
	sealed   []uint64 // sizes of the last keptVersions seals, ascending
	shortcut uint64   // version of the newest shortcut to the map
	reserved backend.Root

	halted    atomic.Pointer[haltError] // why nothing is written any more
	signedLen atomic.Uint64
	published atomic.Uint64 // size
	sealedAt  atomic.Uint64 // of the newest signed seal

	mu         sync.Mutex
	signed     []byte        // the newest signed checkpoint; under mu
	signedTree backend.Root  // its tree; under mu
	changed    chan struct{} // closed and replaced when published grows; under mu
	agreed     chan struct{} // closed while a quorum agrees with us; under mu

	wake     chan struct{} // tells the publisher that signed is new
	dead     chan struct{} // closed when the store cannot even be read
	stopping chan struct{} // closed when Run returns
}

// haltError is the sticky failure of the writer.
type haltError struct{ err error }

// keptVersions is the number of sealed states besides the published one that
// stay provable.
const keptVersions = 64

// Submit offers an admitted entry and waits until it is sealed. An entry that
// is in the log already is answered with the first result. If ctx ends first,
// the entry may be in the log all the same.
func (s *Sequencer) Submit(ctx context.Context, e *entry.Entry) (Result, error) {
	i, err := s.offer(e)
	if err != nil {
		return Result{}, err
	}
	return s.await(ctx, i)
}

// SubmitAll is Submit for many entries at once, which keep their order.
func (s *Sequencer) SubmitAll(ctx context.Context, entries []*entry.Entry) ([]Result, []error) {
	items := make([]*item, len(entries))
	errs := make([]error, len(entries))
	for n, e := range entries {
		items[n], errs[n] = s.offer(e)
	}
	results := make([]Result, len(entries))
	for n, i := range items {
		if errs[n] == nil {
			results[n], errs[n] = s.await(ctx, i)
		}
	}
	return results, errs
}

// offer puts an entry into its queue.
func (s *Sequencer) offer(e *entry.Entry) (i *item, err error) {
	queue, name := s.entries, queueEntries
	if Withdraws(e) {
		queue, name = s.withdrawals, queueWithdrawals
	}
	defer func() { s.cfg.Metrics.offered(name, err) }()
	if h := s.halted.Load(); h != nil {
		return nil, readOnly(h.err)
	}
	if behind := s.backlog(); behind > s.cfg.Backlog && name == queueEntries {
		return nil, reason.Errorf(reason.Backlog, "%d leaves wait for a quorum of cosigners", behind)
	}
	if s.cfg.Room != nil && name == queueEntries {
		if err := s.cfg.Room(); err != nil {
			return nil, err
		}
	}
	i = &item{Entry: e, done: make(chan struct{}), submitted: s.cfg.Now()}
	select {
	case queue <- i:
		return i, nil
	default:
		return nil, reason.Errorf(reason.Busy, "%d entries are waiting", len(queue))
	}
}

// backlog returns the number of leaves that are signed and not published. It
// reads what is published first: that never overtakes what is signed.
func (s *Sequencer) backlog() uint64 {
	published := s.published.Load()
	return s.signedLen.Load() - published
}

func (s *Sequencer) await(ctx context.Context, i *item) (Result, error) {
	var err error
	select {
	case <-i.done:
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.stopping:
		err = reason.Errorf(reason.ShuttingDown, "the node is stopping")
	}
	// What was answered, if only at the last moment, is in i all the same.
	select {
	case <-i.done:
		return i.res, i.err
	default:
		return Result{}, err
	}
}

func readOnly(err error) error {
	return reason.Errorf(reason.ReadOnly, "the node does not write: %v", err)
}

// WaitPublished waits until a checkpoint of at least size is published. It fails
// with read-only once the writer has stopped.
func (s *Sequencer) WaitPublished(ctx context.Context, size uint64) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if s.published.Load() >= size {
			return nil
		}
		if h := s.halted.Load(); h != nil {
			return readOnly(h.err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stopping:
			return reason.Errorf(reason.ShuttingDown, "the node is stopping")
		}
	}
}

// PublishedSize and SignedSize return the sizes of the newest published and of
// the newest signed checkpoint.
func (s *Sequencer) PublishedSize() uint64 { return s.published.Load() }
func (s *Sequencer) SignedSize() uint64    { return s.signedLen.Load() }

// Signed returns the tree of the newest signed checkpoint.
func (s *Sequencer) Signed() backend.Root {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signedTree
}

// Cache returns the map cache that readers of the same store share.
func (s *Sequencer) Cache() *mapstore.Cache { return s.cache }

// Err returns why the writer has stopped, or nil.
func (s *Sequencer) Err() error {
	if h := s.halted.Load(); h != nil {
		return h.err
	}
	return nil
}

// Halt stops the writer for good: a turn has failed, or a reader has found the
// store damaged. Later calls do nothing.
func (s *Sequencer) Halt(err error) {
	if s.halted.CompareAndSwap(nil, &haltError{err}) {
		s.cfg.Log.Error("the writer stops; reading goes on", "err", err)
		if s.cfg.Halted != nil {
			s.cfg.Halted(err)
		}
		s.announce()
		s.agree() // Run goes on, to refuse what is queued
		if _, rootErr := s.cfg.Backend.Root(context.Background()); rootErr != nil {
			close(s.dead)
		}
	}
}

// Run takes turns and publishes until ctx ends. It returns nil then; a writer
// that has stopped is Err's to report, and does not end Run, unless the store
// has to be opened again to be of any use.
func (s *Sequencer) Run(ctx context.Context) error {
	defer close(s.stopping)
	ctx, cancel := context.WithCancel(ctx)
	var publisher sync.WaitGroup
	publisher.Go(func() { s.publish(ctx) })
	defer func() { cancel(); publisher.Wait() }()

	var before *flight
	var writers sync.WaitGroup
	defer writers.Wait()
	for {
		batch := s.gather(ctx, before)
		// SPEC (design, "Start-up"): no new signature until a quorum of
		// cosigners has answered for the checkpoint signed last; nor while one
		// of them contradicts and the quorum is silent.
		select {
		case <-s.agreement():
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			s.refuse(batch, reason.Errorf(reason.ShuttingDown, "the node is stopping"))
			return nil
		}
		if h := s.halted.Load(); h != nil {
			s.refuse(batch, readOnly(h.err))
			select {
			case <-s.dead:
				return fmt.Errorf("the store has failed; start the node again: %w", h.err)
			default:
				continue
			}
		}
		// What was begun is finished, even if ctx ends meanwhile: to stop
		// half-way would leave its submitters in doubt.
		f, err := s.begin(context.WithoutCancel(ctx), order(batch), before)
		if before = f; err != nil {
			s.fail(batch, err)
			continue
		}
		if f != nil {
			writers.Go(func() {
				if err := f.wait(); err != nil {
					s.fail(batch, err)
				}
			})
		}
	}
}

// fail stops the writer, which could not write a batch.
func (s *Sequencer) fail(batch []*item, err error) {
	s.Halt(fmt.Errorf("turn at size %d: %w", s.signedLen.Load(), err))
	s.refuse(batch, readOnly(err))
}

// refuse answers the items that have no answer.
func (s *Sequencer) refuse(batch []*item, err error) {
	for _, i := range batch {
		select {
		case <-i.done:
		default:
			i.answer(Result{}, err)
		}
	}
}

// gather waits for a first entry, then until a quarter of a full batch waits or its time
// has come, which is sooner if the batch before it is done: then the log was idle. It
// does not wait for more: who would fill it may be waiting for the batches before, and
// this one is drafted while they are written. If more wait already, they come along: in
// a large map, a large batch changes less of it for each entry. A quarter of the room is
// reserved for withdrawals.
func (s *Sequencer) gather(ctx context.Context, before *flight) []*item {
	var batch []*item
	select {
	case i := <-s.withdrawals:
		batch = append(batch, i)
	case i := <-s.entries:
		batch = append(batch, i)
	case <-s.dead:
		return nil
	case <-ctx.Done():
		return nil
	}
	wait := s.cfg.Interval
	if before.arrived() {
		wait = min(wait, s.cfg.FirstInterval)
	}
	due := time.NewTimer(wait)
	defer due.Stop()
	for enough := s.cfg.BatchMax / 4; len(batch) < enough; {
		select {
		case i := <-s.withdrawals:
			batch = append(batch, i)
		case i := <-s.entries:
			batch = append(batch, i)
		case <-due.C:
			enough = 0
		case <-ctx.Done():
			return batch
		}
	}
	room := s.cfg.BatchMax - s.cfg.BatchMax/4
	batch = take(s.entries, room-len(batch), batch)
	return take(s.withdrawals, s.cfg.BatchMax-len(batch), batch)
}
