package chaos

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/seal"
)

var (
	rounds = flag.Int("chaos.rounds", 12, "how many rounds TestChaos runs")
	seed   = flag.Uint64("chaos.seed", uint64(time.Now().UnixNano()), "what decides about them")
	length = flag.Duration("chaos.for", 0, "go on for that long")
)

// maxStep is how far clocks step: two of them together by more than is tolerated,
// each by less.
const maxStep = 4 * time.Minute

// TestChaos runs rounds, each of which heals.
func TestChaos(t *testing.T) {
	t.Logf("to see much of it again: go test ./internal/chaos -run TestChaos -chaos.seed=%d -chaos.rounds=%d", *seed, *rounds)
	w := newWorld(t, *seed, options{})
	until := time.Now().Add(*length)
	n := 0
	for ; n < *rounds || time.Now().Before(until); n++ {
		w.round()
		for _, wrong := range w.failures() {
			t.Errorf("round %d: %s", n, wrong)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d rounds, %d entries acknowledged, %d times something was cosigned, published size %d", n, len(w.acks), len(w.history), w.published.Size)
}

// TestMutants plants faults, which a few rounds have to find.
func TestMutants(t *testing.T) {
	for name, m := range map[string]struct {
		options
		want string
	}{
		"witnesses are asked first": {options{witnessesFirst: true}, "before the auditor has"},
		"a disk that does not sync": {options{liar: true}, ""},
		"a witness that forgets":    {options{forgetful: true}, "and holds"},
		"events that are lost":      {options{swallowed: true}, "was not told of"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, m.options)
			for range 10 {
				w.round()
				if len(w.failures()) == 0 {
					continue
				}
				if !slices.ContainsFunc(w.failures(), func(s string) bool { return strings.Contains(s, m.want) }) {
					t.Errorf("found something else: %q", w.failures())
				}
				t.Log(w.failures()[0])
				return
			}
			t.Error("not found")
		})
	}
}

// round lets everything go wrong for a while, and then looks at what is left.
func (w *world) round() {
	w.refused.Store(0)
	w.deaf.Store(w.chance(0.5))
	for range 3 {
		w.disturb()
		for range 3 {
			w.open = append(w.open, w.next(), w.next())
			// What has no answer within that is submitted again later.
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			_, _ = w.submit(ctx)
			cancel()
			_, _ = w.look()
		}
	}
	if len(w.failures()) == 0 {
		w.heal()
	}
	if len(w.failures()) == 0 {
		w.check()
	}
}

// disturb draws what is wrong next.
func (w *world) disturb() {
	for _, l := range w.links {
		if s := state(w.pick(2 * int(states))); s < states {
			l.set(s)
		} else {
			l.set(well)
		}
	}
	for _, m := range w.machines() {
		if w.chance(0.3) {
			m.clock.Store(int64(w.between(-maxStep, maxStep)))
		}
		if w.chance(0.25) {
			w.restart(m, w.chance(0.6))
		}
	}
}

// restart ends a node and starts it again. What it holds is looked at before
// anybody can tell it more.
func (w *world) restart(m *machine, killed bool) {
	w.stop(m, killed)
	if m == w.monitor {
		w.behind()
	}
	states := map[*link]state{}
	for _, l := range w.links {
		if l.to == m {
			states[l] = l.state
			l.set(cut)
		}
	}
	w.start(m)
	if m.prefix != "" && m != w.log {
		w.holds(m)
	}
	for l, s := range states {
		l.set(s)
	}
}

// heal puts everything right and waits until all is well.
func (w *world) heal() {
	for _, m := range w.machines() {
		m.clock.Store(0)
	}
	for _, l := range w.links {
		l.set(well)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	for {
		if w.deaf.Load() && w.refused.Load() > 0 {
			w.restart(w.monitor, w.chance(0.5)) // in the middle of telling
			w.deaf.Store(false)
		}
		why := w.ill(ctx)
		if why == nil || len(w.failures()) > 0 {
			return
		}
		select {
		case <-ctx.Done():
			w.violate("does not heal: %v", why)
			return
		case <-time.After(100 * time.Millisecond):
		}
		if code, text, err := w.log.get("/healthz"); err == nil && code != 200 && strings.HasPrefix(string(text), "read-only") {
			w.violate("does not heal: %s", text)
			return
		}
	}
}

// ill says what is not well yet.
func (w *world) ill(ctx context.Context) error {
	if n, err := w.submit(ctx); n > 0 {
		return fmt.Errorf("%d entries have no answer: %w", n, err)
	}
	cp, err := w.look()
	if err != nil {
		return err
	}
	for leaf, ack := range w.acks {
		if ack.SealedSize > cp.Size {
			return fmt.Errorf("%x is sealed at size %d, published is %d", leaf[:4], ack.SealedSize, cp.Size)
		}
	}
	for _, m := range append(w.witnesses, w.auditor) {
		if b := w.holds(m); b.Size < cp.Size || b.Size == cp.Size && b.Root != cp.Root {
			return fmt.Errorf("%s holds size %d, published is %d", m.name, b.Size, cp.Size)
		}
	}
	if c := w.behind(); c.Size < cp.Size {
		return fmt.Errorf("the monitor has told up to size %d, published is %d", c.Size, cp.Size)
	}
	return nil
}

// check reads the log, as the auditor holds it, and compares it with all that
// was said.
func (w *world) check() {
	cp, err := w.look()
	if err != nil {
		w.violate("reading the checkpoint: %v", err)
		return
	}
	c, err := client.New(w.auditor.url+"/mirror/"+origin, client.Config{})
	w.must(err)
	tree := tlog.Tree{N: int64(cp.Size), Hash: tlog.Hash(cp.Root)}
	hashes := [][32]byte{}
	roots := [][]byte{rfc6962.DefaultHasher.EmptyRoot()}
	state := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for leaf, err := range c.AllEntries(context.Background(), tree, 0) {
		if err != nil {
			w.violate("reading the auditor's copy: %v", err)
			return
		}
		h := tlog.RecordHash(leaf.Data)
		if !seal.Is(leaf.Data) && !w.arrived(leaf.Index) {
			w.violate("nobody was told of leaf %d", leaf.Index)
		}
		hashes = append(hashes, h)
		w.must(state.Append(h[:], nil))
		root, err := state.GetRootHash(nil)
		w.must(err)
		roots = append(roots, root)
	}
	for leaf, ack := range w.acks {
		if ack.Index >= uint64(len(hashes)) || hashes[ack.Index] != leaf {
			w.violate("entry %x was acknowledged at index %d, and is not there", leaf[:4], ack.Index)
		}
	}
	w.mu.Lock()
	history := slices.Clone(w.history)
	w.mu.Unlock()
	for _, c := range history {
		if c.Size < uint64(len(roots)) && string(roots[c.Size]) != string(c.Root[:]) {
			w.violate("%s cosigned root %x at size %d, the log has %x", c.by.name, c.Root, c.Size, roots[c.Size])
		}
	}
}
