package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
)

func leafHash(leaf []byte) Hash { return Hash(rfc6962.DefaultHasher.HashLeaf(leaf)) }

// has reports whether d holds the tree.
func (d *Disk) has(r backend.Root) bool {
	root, ok := d.rootAt(r.Size)
	return ok && root == r.Hash
}

// watch looks at what was written to a disk.
func (w *World) watch(d *Disk, side []backend.Write) {
	for _, write := range side {
		switch string(write.Key) {
		case "r":
			w.reserved(d, write.Value)
		case "c":
			w.publication(d, write.Value)
		}
	}
}

// reserved looks at a reservation.
func (w *World) reserved(d *Disk, value []byte) {
	if len(value) != 40 {
		w.violate(d.name, "reservation of %d bytes", len(value))
		return
	}
	r := backend.Root{Size: binary.BigEndian.Uint64(value), Hash: Hash(value[8:])}
	w.tell(d.name, "reserved %d %x", r.Size, r.Hash[:4])
	if !d.has(r) {
		w.violate(d.name, "reserved a tree of size %d that is not there", r.Size)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for old := range d.reserved {
		if old.Size > r.Size {
			w.violate(d.name, "the reservation shrinks from %d to %d", old.Size, r.Size)
		}
	}
	if r.Size < d.signed {
		w.violate(d.name, "reserved %d, signed is %d", r.Size, d.signed)
	}
	d.reserved[r] = true
}

// signed looks at a checkpoint that a process signs.
func (w *World) signed(p *process, r backend.Root) {
	d := p.disk
	w.tell(p.name, "signs %d %x", r.Size, r.Hash[:4])
	if !d.has(r) {
		w.violate(p.name, "signed a tree of size %d that is not there", r.Size)
		return
	}
	prefix, _ := d.rootAt(r.Size - 1)
	if _, ok := seal.Live(d.leaf(r.Size-1), origin, r.Size-1, prefix); !ok {
		w.violate(p.name, "signed a tree of size %d that does not end in a live seal", r.Size)
	}
	w.mu.Lock()
	w.signs[r] = true
	w.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.reserved[r] {
		w.violate(p.name, "signed size %d without having reserved it", r.Size)
	}
	d.signed = max(d.signed, r.Size)
}

// publication looks at a checkpoint that was published.
func (w *World) publication(d *Disk, cp []byte) {
	// The process may have a clock that is ahead.
	opened, err := w.policy.Open(cp, time.Now().Add(maxSkew+trust.MaxSkew))
	if err != nil {
		w.violate(d.name, "published without a quorum: %v", err)
		return
	}
	r := backend.Root{Size: opened.Size, Hash: opened.Root}
	w.tell(d.name, "published %d %x", r.Size, r.Hash[:4])
	if !d.has(r) {
		w.violate(d.name, "published a tree of size %d that is not there", r.Size)
		return
	}
	w.mu.Lock()
	before := w.published
	w.published = append(before, published{d, r})
	w.mu.Unlock()
	for _, old := range before {
		if old.disk == d && old.Size > r.Size {
			w.violate(d.name, "published shrinks from %d to %d", old.Size, r.Size)
		}
		if old.Size <= r.Size && !d.has(old.Root) || old.Size > r.Size && !old.disk.has(r) {
			w.violate(d.name, "published size %d contradicts size %d of %s, which is published", r.Size, old.Size, old.disk.name)
		}
	}
}

// says looks at what a process says of itself.
func (w *World) says(p *process) {
	var at backend.Root
	if cp := p.disk.newest("c"); cp != nil {
		var err error
		at, err = rootOfNote(cp)
		must(err)
	}
	if says := p.seq.PublishedSize(); says > at.Size {
		w.violate(p.name, "says that it has published size %d, published is %d", says, at.Size)
	}
}

// cosigned looks at what a cosigner has cosigned, and before that.
func (w *World) cosigned(c *cosigner, old, next backend.Root) {
	if c.audit == nil {
		w.ordered(c, next)
	}
	if old.Size == 0 {
		return
	}
	if next.Size < old.Size {
		w.violate(c.name, "cosigned size %d after %d", next.Size, old.Size)
	}
	for _, d := range w.allDisks() {
		if d.has(old) && d.has(next) {
			return
		}
	}
	w.violate(c.name, "cosigned size %d, which contradicts %d, which it has cosigned", next.Size, old.Size)
}

// ordered looks whether the auditors that the quorum needs have cosigned what a
// witness cosigns.
func (w *World) ordered(c *cosigner, at backend.Root) {
	var names []string
	for _, o := range w.cosigners {
		if o.audit == nil || o.has(at) {
			names = append(names, o.name)
		}
	}
	if !cosign.Suffices(w.policy, names) {
		w.violate(c.name, "cosigned size %d before the auditors", at.Size)
	}
}

func (w *World) allDisks() []*Disk {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.disks
}

// contradict returns the cosigners that know a tree which d does not hold.
func (w *World) contradict(d *Disk) (names []string) {
	for _, c := range w.cosigners {
		if at := c.holds(); at.Size > 0 && !d.has(at) {
			names = append(names, c.name)
		}
	}
	return names
}

// acknowledged looks at what a submitter is told.
func (w *World) acknowledged(p *process, e *entry.Entry, res sequencer.Result) {
	d := p.disk
	w.tell(p.name, "acknowledges %x: %+v", e.ID[:4], res)
	if why := d.holds(e.LeafHash, res); why != "" {
		w.violate(p.name, "acknowledged %x: %s", e.ID[:4], why)
	}
	w.mu.Lock()
	shared := d.trouble > p.trouble
	w.mu.Unlock()
	d.mu.Lock()
	old, known := d.acks[e.LeafHash]
	d.acks[e.LeafHash] = ack{e.ID, time.Now(), res}
	signed := d.signed
	d.mu.Unlock()
	// Answers of one turn come in any order, as do those of two writers.
	again := known && old.at.Before(time.Now()) && !shared
	if known && (old.Index != res.Index || old.Sealed != res.Sealed) || again && !res.Duplicate {
		w.violate(p.name, "acknowledged %x with %+v, before with %+v", e.ID[:4], res, old.Result)
	}
	// Another writer may have appended it, and not signed it yet.
	if res.Sealed > signed && !shared {
		w.violate(p.name, "acknowledged %x under size %d, signed is %d", e.ID[:4], res.Sealed, signed)
	}
}

// holds says what is wrong with what a submitter was told, or "".
func (d *Disk) holds(leaf Hash, res sequencer.Result) string {
	size := d.size()
	switch {
	case res.Index >= res.Sealed || res.Sealed > size:
		return fmt.Sprintf("%+v in a tree of size %d", res, size)
	case leafHash(d.leaf(res.Index)) != leaf:
		return fmt.Sprintf("leaf %d is another", res.Index)
	}
	s, err := seal.Parse(d.leaf(res.Sealed - 1))
	if err != nil || s.Index != res.Sealed-1 {
		return fmt.Sprintf("leaf %d is not a seal: %v", res.Sealed-1, err)
	}
	return ""
}

// refused looks at a refusal: what was acknowledged is not refused later.
func (w *World) refused(p *process, leaf []byte, err error) {
	w.happened("refused")
	d := p.disk
	d.mu.Lock()
	old, known := d.acks[leafHash(leaf)]
	d.mu.Unlock()
	// An entry may stand twice in one turn, before its target and behind it.
	if known && old.at.Before(time.Now()) && bytes.Equal(d.leaf(old.Index), leaf) {
		w.violate(p.name, "refused %x, which was acknowledged: %v", old.id[:4], err)
	}
}
