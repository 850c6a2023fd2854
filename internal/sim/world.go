package sim

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/trust"
)

// Options change the world, for tests that want to see it fail.
type Options struct {
	// Store wraps the store of a process.
	Store func(w *World, s *Store) backend.Backend
	// Cosign wraps what asks the cosigners.
	Cosign func(Cosign) Cosign
	// Forgetful makes witnesses forget when they start again.
	Forgetful bool
	// Quorum replaces the number of witnesses in the quorum.
	Quorum int
	// Audited says who audits, whatever the seed says.
	Audited Audited
	// AuditorDisk wraps the disk of an auditor; nil: it is as it is.
	AuditorDisk func(vfs.FS) vfs.FS
	// Unheld has auditors cosign what they do not hold.
	Unheld bool
	// Unordered has the log ask all its cosigners at once.
	Unordered bool
	// Trusting has the log publish without its auditors.
	Trusting bool
}

// Audited is who audits.
type Audited int

const (
	drawn Audited = iota // as the seed says
	nobody
	optional // one, whom the quorum does not need
	needed   // one, whom it needs
	either   // two, one of whom it needs
)

// Cosign is sequencer.Config's.
type Cosign = func(ctx context.Context, checkpoint []byte, size uint64) ([]byte, error)

const origin = "log.example/sim"

// World is all there is.
type World struct {
	Options
	seed uint64

	// What the seed says about the whole run.
	crashes, io, net  float64 // rates of faults, per call
	interval, refresh time.Duration
	backlog           uint64
	length            time.Duration
	submitters        int

	policy    *trust.Policy
	believed  *trust.Policy // by the log
	cosigners []*cosigner   // in the order of the policy: auditors last
	dir       string        // of auditors
	public    atomic.Pointer[process]
	author    *author
	main      *machine
	machines  []*machine

	quiet      atomic.Bool    // nothing goes wrong now
	background sync.WaitGroup // what goes on without anyone waiting

	mu        sync.Mutex
	events    []event
	wrong     []string
	counts    map[string]int
	disks     []*Disk
	published []published
	signs     map[backend.Root]bool // all that was ever signed
}

// event is a line of the trace.
type event struct {
	at   time.Duration
	who  string
	what string
}

// published is a checkpoint that was published.
type published struct {
	disk *Disk
	backend.Root
}

// Result is what a run was.
type Result struct {
	Trace  []string
	Digest [32]byte // of the trace
	// Wrong are the invariants that did not hold; none if all is well.
	Wrong []string
	// Counts says how often each thing happened.
	Counts map[string]int
}

// Run runs the world of one seed.
func Run(seed uint64, opts Options) *Result {
	w := &World{Options: opts, seed: seed, counts: map[string]int{}, signs: map[backend.Root]bool{}}
	// The entries of package testlog are of this time.
	time.Sleep(time.Until(time.Unix(1_795_000_000, 0)))
	began := time.Now()
	w.profile()
	w.found()
	w.fray()
	w.settle()
	w.end()
	return w.result(began)
}

// pick returns one of a few.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// profile decides what kind of world it is.
func (w *World) profile() {
	r := w.draw("profile")
	w.crashes = pick(r, 0, 0.02, 0.1)
	w.io = pick(r, 0, 0, 0.02, 0.1)
	w.net = pick(r, 0, 0.1, 0.5)
	w.interval = pick(r, 100*time.Millisecond, time.Second)
	w.refresh = pick(r, 20*time.Second, 10*time.Minute)
	w.backlog = pick[uint64](r, 0, 15)
	w.length = between(r, 3*time.Second, 25*time.Second)
	w.submitters = 2 + r.IntN(3)
	n := pick(r, 1, 3, 3, 4)
	audited := cmp.Or(w.Audited, w.audited())
	quorum := cmp.Or(w.Quorum, n/2+1)
	w.meet(n, quorum, audited)
	w.author = &author{gen: testlog.New(origin, w.seed)}
	w.author.gen.Now = uint64(time.Now().Unix()) - 3600
	w.author.gen.Ignored = 0.1
	w.quiet.Store(r.IntN(4) > 0) // the founding of most logs goes well
	w.tell("world", "crashes %v, io %v, net %v, %d of %d witnesses, audited %d, interval %v, refresh %v, backlog %d, %d submitters, %v",
		w.crashes, w.io, w.net, quorum, n, audited, w.interval, w.refresh, w.backlog, w.submitters, w.length)
}

// audited says who audits: nobody in most worlds, for auditors take time.
func (w *World) audited() Audited {
	r := w.draw("audited")
	if r.IntN(8) > 0 {
		return nobody
	}
	return pick(r, needed, needed, either, optional)
}

// calm reports whether all goes well at present.
func (w *World) calm() bool { return w.quiet.Load() }

// goes lets f run; the world does not end before it.
func (w *World) goes(f func()) { w.background.Go(f) }

// newDisk adds a disk to the world.
func (w *World) newDisk(d *Disk) *Disk {
	d.watch = w.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	w.disks = append(w.disks, d)
	return d
}

// disturb gives processes on d a cause to stop.
func (w *World) disturb(d *Disk) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d.trouble++
}

// tell adds a line to the trace.
func (w *World) tell(who, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, event{time.Duration(time.Now().UnixNano()), who, fmt.Sprintf(format, args...)})
}

// violate says that an invariant does not hold.
func (w *World) violate(who, format string, args ...any) {
	w.tell(who, "WRONG: "+format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, who+": "+fmt.Sprintf(format, args...))
}

func (w *World) count(what string, k kind) {
	if k == well {
		return
	}
	w.happened(fmt.Sprintf("%s: %v", what, k))
}

func (w *World) happened(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what]++
}

// result puts the trace into an order that does not depend on what ran first
// within an instant.
func (w *World) result(began time.Time) *Result {
	res := &Result{Wrong: w.wrong, Counts: w.counts}
	slices.SortStableFunc(w.events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.who, b.who), strings.Compare(a.what, b.what))
	})
	h := sha256.New()
	for _, e := range w.events {
		line := fmt.Sprintf("%14.6fs %-10s %s", (e.at - time.Duration(began.UnixNano())).Seconds(), e.who, e.what)
		fmt.Fprintln(h, line)
		res.Trace = append(res.Trace, line)
	}
	h.Sum(res.Digest[:0])
	return res
}

// meet makes the cosigners and the policy that lists them.
func (w *World) meet(n, quorum int, audited Audited) {
	for i := range n {
		w.cosigners = append(w.cosigners, newCosigner(w, fmt.Sprintf("w%d", i+1)))
	}
	for i := range map[Audited]int{optional: 1, needed: 1, either: 2}[audited] {
		if w.dir == "" {
			var err error
			w.dir, err = os.MkdirTemp("", "sim")
			must(err)
		}
		c := newCosigner(w, fmt.Sprintf("a%d", i+1))
		c.audit = newAudit(c, w.dir)
		w.cosigners = append(w.cosigners, c)
	}
	text := "log " + logVkey() + "\n"
	groups := map[bool]string{}
	for _, c := range w.cosigners {
		text += fmt.Sprintf("witness %s %s\n", c.name, c.signer().Key().Vkey)
		groups[c.audit != nil] += " " + c.name
	}
	text += fmt.Sprintf("group enough %d%s\n", quorum, groups[false])
	w.policy = policy(text + "quorum enough\n")
	w.believed = w.policy
	if audited == needed || audited == either {
		w.policy = policy(text + "group held any" + groups[true] + "\ngroup both all enough held\nquorum both\n")
	}
	if !w.Trusting {
		w.believed = w.policy
	}
	for _, c := range w.cosigners {
		c.start()
	}
}

func policy(text string) *trust.Policy {
	p, err := trust.Parse([]byte(text))
	must(err)
	return p
}

// end ends what would go on for ever.
func (w *World) end() {
	for _, c := range w.cosigners {
		if l := c.audit.life(); l != nil {
			l.close()
		}
	}
	if w.dir != "" {
		must(os.RemoveAll(w.dir))
	}
}

// must is for what only a fault of this package can break.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// found makes the log and enrols its first parties, which nothing else can be
// done without.
func (w *World) found() {
	disk := w.newDisk(NewDisk("disk"))
	charter := w.author.next(0)
	for n := 0; disk.size() == 0; n++ {
		w.quiet.Store(w.quiet.Load() || n == 20)
		p := w.newProcess(fmt.Sprintf("init/%d", n), disk)
		p.init(charter)
		p.exit()
		time.Sleep(between(w.draw("init"), time.Millisecond, time.Second))
	}
	w.quiet.Store(true)
	w.background.Wait() // for writes that are late
	w.main = w.newMachine("main", disk)
	var first []testlog.Item
	for range 3 {
		first = append(first, w.author.next(disk.size()))
	}
	p := w.newProcess("founder", disk)
	w.public.Store(p)
	w.goes(p.run)
	<-p.ready
	if p.opened != nil {
		w.violate(p.name, "a new log: %v", p.opened)
	} else {
		for _, o := range p.submit(context.Background(), first) {
			if o != accepted {
				w.violate(p.name, "the first parties are not enrolled")
			}
		}
		// Not in the instant of its answer, in which its publisher starts.
		time.Sleep(between(w.draw("founded"), time.Millisecond, time.Second))
	}
	p.exit()
}

// fray lets everything go wrong for a while.
func (w *World) fray() {
	w.quiet.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), w.length)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { w.main.live(ctx) })
	for _, c := range w.cosigners {
		all.Go(func() { c.live(ctx) })
	}
	for i := range w.submitters {
		all.Go(func() { w.submitter(ctx, fmt.Sprintf("submitter%d", i+1)) })
	}
	r := w.draw("plan")
	if r.IntN(3) == 0 {
		all.Go(func() { w.second(ctx) })
	}
	switch r.IntN(4) {
	case 0:
		all.Go(func() { w.restore(ctx) })
	case 1:
		all.Go(func() { w.twin(ctx) })
	}
	all.Wait()
}

// sleep waits for d, or until ctx ends, which it reports.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// second opens the disk of the main process a second time, for a while.
func (w *World) second(ctx context.Context) {
	if !sleep(ctx, between(w.draw("second"), 100*time.Millisecond, w.length)) {
		return
	}
	w.tell("world", "a second writer")
	w.happened("second writer")
	m := w.newMachine("second", w.main.on())
	for range 1 + w.draw("lives").IntN(3) {
		m.move(w.main.on())
		m.life(ctx)
	}
}

// twin lets a copy of the disk live a life of its own.
func (w *World) twin(ctx context.Context) {
	if !sleep(ctx, between(w.draw("twin"), 100*time.Millisecond, w.length)) {
		return
	}
	disk := w.newDisk(w.main.on().clone("twin"))
	w.tell("world", "a twin at size %d", disk.size())
	w.happened("twin")
	if sleep(ctx, between(w.draw("born"), time.Millisecond, w.length)) {
		w.newMachine("twin", disk).live(ctx)
	}
}

// restore puts an old copy in the place of the disk.
func (w *World) restore(ctx context.Context) {
	if !sleep(ctx, between(w.draw("backup"), 100*time.Millisecond, w.length)) {
		return
	}
	backup := w.main.on().clone("backup")
	w.tell("world", "backup at size %d", backup.size())
	if !sleep(ctx, between(w.draw("restore"), 100*time.Millisecond, w.length)) {
		return
	}
	w.tell("world", "restored at size %d, instead of %d", backup.size(), w.main.on().size())
	w.happened("restored")
	w.main.move(w.newDisk(backup))
}
