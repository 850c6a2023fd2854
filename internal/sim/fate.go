package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// kind is what becomes of a call.
type kind int

const (
	well        kind = iota
	fails            // an error, and nothing done
	lost             // an error, and all done
	late             // an error, and done later
	crashBefore      // the process ends, nothing done
	crashAfter       // the process ends, all done
)

func (k kind) String() string {
	return []string{"well", "fails", "lost", "late", "crash before", "crash after"}[k]
}

// fate is what becomes of one call, and when.
type fate struct {
	kind          kind
	before, after time.Duration
	sticky        bool // the store fails for good
	later         func(func())
}

// draw returns random numbers for one decision. They depend on the seed, the
// time, and what is decided, so that goroutines of one instant do not disturb
// each other.
func (w *World) draw(what ...any) *rand.Rand {
	h := sha256.Sum256(fmt.Append(nil, w.seed, " ", time.Now().UnixNano(), " ", fmt.Sprint(what...)))
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(h[:]), binary.BigEndian.Uint64(h[8:])))
}

// between draws a duration; short ones are as likely as long ones.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	ratio := float64(most) / float64(least)
	return time.Duration(float64(least) * math.Pow(ratio, r.Float64()))
}

// writeFate decides about a write of a process.
func (w *World) writeFate(p *process, op string) fate {
	r := w.draw(p.name, op)
	f := fate{before: between(r, 10*time.Microsecond, 50*time.Millisecond), after: between(r, 10*time.Microsecond, 20*time.Millisecond)}
	if w.calm() {
		return f
	}
	switch n := r.Float64(); {
	case n < w.crashes:
		f.kind = crashBefore + kind(r.IntN(2))
	case n < w.crashes+w.io:
		f.kind = fails + kind(r.IntN(3))
		f.sticky = r.IntN(2) == 0
		delay := between(r, time.Millisecond, maxLate)
		f.later = func(commit func()) {
			w.goes(func() {
				time.Sleep(delay)
				w.disturb(p.disk)
				w.tell(p.name, "%s lands", op)
				commit()
			})
		}
	}
	w.count(op, f.kind)
	if f.kind != well {
		w.tell(p.name, "%s: %v", op, f.kind)
	}
	return f
}

// maxLate is how late a write may be that was given up.
const maxLate = 5 * time.Second

// readFate decides about a read of a process. Only what a whole process waits
// for takes time: a reader may hold a lock.
func (w *World) readFate(p *process, op string) fate {
	r := w.draw(p.name, op)
	var f fate
	if (op == "root" || op == "consistency") && r.IntN(3) == 0 {
		f.before = between(r, time.Microsecond, 5*time.Millisecond)
	}
	if !w.calm() && r.Float64() < w.io/20 {
		f.kind, f.sticky = fails, r.IntN(2) == 0
		w.count("read", fails)
		w.tell(p.name, "%s: %v", op, f.kind)
	}
	return f
}
