package sequencer

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/reason"
)

// TestPipeline holds a batch back in the store. The next one is drafted on it: it
// withdraws what is not durable yet, and has an entry again. Nobody is answered
// before the store is; if it fails, all fail.
func TestPipeline(t *testing.T) {
	for name, fails := range map[string]error{"written": nil, "fails": errors.New("on fire")} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			b := r.store(r.fs)
			defer b.Close()
			appending, goOn := make(chan struct{}, 3), make(chan error, 3)
			slow := &faulty{Backend: b}
			s := r.run(slow, nil)
			s.enrol()
			slow.append = func([][]byte, []backend.Write) error {
				appending <- struct{}{}
				return <-goOn
			}
			before := s.SignedSize()
			a := r.attest(1)
			first, err := s.offer(a)
			r.must(err)
			<-appending
			var next []*item
			for _, e := range []*item{{Entry: r.revoke(a)}, {Entry: a}, {Entry: r.revoke(r.attest(99))}} {
				i, err := s.offer(e.Entry)
				r.must(err)
				next = append(next, i)
			}
			for len(s.entries)+len(s.withdrawals) > 0 {
				time.Sleep(time.Millisecond)
			}
			if slices.ContainsFunc(append(next, first), func(i *item) bool { return answered(i) }) {
				t.Error("answered before anything is durable")
			}
			goOn <- fails
			goOn <- nil
			if fails != nil {
				for _, i := range append(next, first) {
					if _, err := s.await(t.Context(), i); reason.CodeOf(err) != reason.ReadOnly {
						t.Errorf("answer %v", err)
					}
				}
				if root, err := b.Root(t.Context()); err != nil || root.Size != before {
					t.Errorf("size %d, %v; want %d", root.Size, err, before)
				}
				return
			}
			res, err := s.await(t.Context(), first)
			if err != nil || res.Index != before || res.Sealed != before+2 {
				t.Errorf("first: %+v, %v", res, err)
			}
			if got, err := s.await(t.Context(), next[0]); err != nil || got.Index != before+2 {
				t.Errorf("withdrawal: %+v, %v", got, err)
			}
			if got, err := s.await(t.Context(), next[1]); err != nil || got != (Result{res.Index, res.Sealed, true}) {
				t.Errorf("duplicate: %+v, %v", got, err)
			}
			if _, err := s.await(t.Context(), next[2]); reason.CodeOf(err) != reason.TargetUnknown {
				t.Errorf("refused: %v", err)
			}
			s.stop()
			replay(t, b)
		})
	}
}

func answered(i *item) bool {
	select {
	case <-i.done:
		return true
	default:
		return false
	}
}

// TestOverlay compares an overlay with a store that has the writes.
func TestOverlay(t *testing.T) {
	r := newRig(t)
	b := r.store(r.fs)
	defer b.Close()
	key := func(i int) []byte { return []byte{'x', byte(i)} }
	var old, writes []backend.Write
	for i := range 32 {
		if i%3 > 0 {
			old = append(old, backend.Write{Key: key(i), Value: []byte{0, byte(i)}})
		}
		switch i % 4 {
		case 1:
			writes = append(writes, backend.Write{Key: key(i)})
		case 2:
			writes = append(writes, backend.Write{Key: key(i), Value: []byte{}})
		case 3:
			writes = append(writes, backend.Write{Key: key(i), Value: []byte{1, byte(i)}})
		}
	}
	_, err := b.Append(t.Context(), 2, nil, old)
	r.must(err)
	over := &overlay{b.View(), writes}
	defer over.Close()
	_, err = b.Append(t.Context(), 2, nil, writes)
	r.must(err)
	want := b.View()
	defer want.Close()
	for i := range 33 {
		a, errA := backend.Get(over, key(i))
		b, errB := backend.Get(want, key(i))
		if errA != nil || errB != nil || (a == nil) != (b == nil) || !bytes.Equal(a, b) {
			t.Errorf("key %d: %x, %v; want %x, %v", i, a, errA, b, errB)
		}
	}
	for _, bounds := range [][2][]byte{{key(0), key(40)}, {key(5), key(6)}, {key(7), key(30)}, {key(9), key(9)}, {key(0), nil}} {
		for stop := range 30 {
			list := func(v backend.View) (out [][]byte) {
				r.must(v.Scan(bounds[0], bounds[1], func(key, value []byte) bool {
					out = append(out, bytes.Clone(key), bytes.Clone(value))
					return len(out)/2 < stop+1
				}))
				return out
			}
			if a, b := list(over), list(want); !slices.EqualFunc(a, b, bytes.Equal) {
				t.Fatalf("scan of %x, stopped at %d: %x, want %x", bounds, stop, a, b)
			}
		}
	}
}
