package node

import (
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/standing-log/standing/personality/reason"
)

// Bytes is a number of bytes, written like 512MiB or 1GiB.
type Bytes uint64

// UnmarshalYAML parses a number, with KiB, MiB, GiB or nothing behind it.
func (b *Bytes) UnmarshalYAML(n *yaml.Node) error {
	digits, shift := n.Value, 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if rest, ok := strings.CutSuffix(n.Value, unit); ok {
			digits, shift = strings.TrimSpace(rest), 10*(i+1)
		}
	}
	v, err := strconv.ParseUint(digits, 10, 63-shift)
	if err != nil {
		return fmt.Errorf("line %d: %q is not a number of bytes like 512MiB", n.Line, n.Value)
	}
	*b = Bytes(v << shift)
	return nil
}

// MarshalYAML writes a plain number.
func (b Bytes) MarshalYAML() (any, error) { return uint64(b), nil }

// maxReserve is the reserve where none is configured, unless 5 % of the file
// system are less.
const maxReserve = 1 << 30

// disk is the file system of the store, with a part of it in reserve: for
// withdrawals, for what Pebble writes when it tidies up, and for the operator.
// Entries that are taken on a nearly full disk end as turns that fail half-way.
type disk struct {
	dir     string
	reserve uint64 // 0 means the default
	log     *slog.Logger
	// statfs returns what is free to us, and the whole; replaced in tests.
	statfs func(dir string) (free, total uint64, err error)

	last atomic.Pointer[roomAnswer]
}

// roomAnswer is what room has found, and for how long that counts.
type roomAnswer struct {
	err   error
	until time.Time
}

// roomFor is how long an answer of room counts: it is asked for each entry, and to
// ask a file system that is being written to takes long. What can be written
// meanwhile is a small part of the reserve.
const roomFor = 100 * time.Millisecond

// room refuses once less is free than the reserve. A file system that does not
// say what is free is no reason to stop.
func (d *disk) room() error {
	now := time.Now()
	if a := d.last.Load(); a != nil && now.Before(a.until) {
		return a.err
	}
	a := &roomAnswer{d.measure(), now.Add(roomFor)}
	d.last.Store(a)
	return a.err
}

func (d *disk) measure() error {
	free, total, err := d.statfs(d.dir)
	if err != nil {
		d.log.Warn("free disk space is unknown", "err", err)
		return nil
	}
	if need := d.need(total); free < need {
		return reason.Errorf(reason.NoSpace, "%d MiB are free, %d MiB are kept in reserve", free>>20, need>>20)
	}
	return nil
}

func (d *disk) need(total uint64) uint64 {
	if d.reserve > 0 {
		return d.reserve
	}
	return min(maxReserve, total/20)
}

// kept returns the reserve, for the metrics.
func (d *disk) kept() float64 {
	_, total, err := d.statfs(d.dir)
	if err != nil {
		return math.NaN()
	}
	return float64(d.need(total))
}
