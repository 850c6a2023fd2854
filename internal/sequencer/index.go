package sequencer

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
)

// Index is what the leaves of a log say that the sequencer keeps in the side
// store. It is for checking a whole store: tell it of every leaf that has effect
// and of every live seal, in order, then Check.
type Index struct {
	size   uint64          // sealed
	roots  map[uint64]Hash // by the sizes that are sealed
	places map[Hash]uint64
	keys   map[Hash][]byte
}

// NewIndex returns the index of an empty log.
func NewIndex() *Index {
	return &Index{roots: map[uint64]Hash{}, places: map[Hash]uint64{}, keys: map[Hash][]byte{}}
}

// Entry adds an entry that has effect.
func (x *Index) Entry(e *entry.Entry, index uint64) {
	if e.Kind != entry.KindAttestation {
		x.places[e.ID] = index
	}
	for _, k := range e.NewKeys() {
		x.keys[k.ID()] = k.SPKI()
	}
}

// Seal adds a live seal and the root of the tree that ends in it.
func (x *Index) Seal(s *seal.Seal, root Hash) {
	x.size = s.Index + 1
	x.roots[x.size] = root
}

// Check compares the side store with the index, and fails with ErrDamaged at the
// first value that is missing, too much, or another. The log MUST end in a seal.
func (x *Index) Check(b backend.Backend, policy *trust.Policy) error {
	view := b.View()
	defer view.Close()
	if err := checkSpace(view, prefixID, "place of event", x.places, func(index uint64, v []byte) bool {
		return bytes.Equal(v, marshalIndex(index))
	}); err != nil {
		return err
	}
	if err := x.checkSeals(view); err != nil {
		return err
	}
	if err := checkSpace(view, prefixKey, "key", x.keys, bytes.Equal); err != nil {
		return err
	}
	if err := x.checkReserved(view); err != nil {
		return err
	}
	return x.checkPublished(view, policy)
}

// checkSpace compares all values whose keys are a prefix and a hash.
func checkSpace[V any](view backend.View, prefix byte, what string, want map[Hash]V, equal func(V, []byte) bool) error {
	found := 0
	var bad error
	err := view.Scan([]byte{prefix}, []byte{prefix + 1}, func(key, value []byte) bool {
		if len(key) != 1+len(Hash{}) {
			bad = damaged("stored %s %x is malformed", what, key[1:])
			return false
		}
		found++
		v, ok := want[Hash(key[1:])]
		switch {
		case !ok:
			bad = damaged("stored %s %x is in no leaf", what, key[1:])
		case !equal(v, value):
			bad = damaged("stored %s %x is %x; the leaves give another", what, key[1:], value)
		}
		return bad == nil
	})
	if err == nil {
		err = bad
	}
	if err == nil && found != len(want) {
		err = missing(view, prefix, what, want)
	}
	return err
}

// missing names one of the values that are not there.
func missing[V any](view backend.View, prefix byte, what string, want map[Hash]V) error {
	for id := range want {
		v, err := backend.Get(view, append([]byte{prefix}, id[:]...))
		if err != nil {
			return err
		}
		if v == nil {
			return damaged("stored %s %x is missing", what, id)
		}
	}
	return fmt.Errorf("stored %ss have changed meanwhile", what)
}

// checkSeals checks where the live seals are.
func (x *Index) checkSeals(view backend.View) error {
	found := 0
	var bad error
	err := view.Scan([]byte{prefixSeal}, []byte{prefixSeal + 1}, func(key, value []byte) bool {
		found++
		if len(key) != len(sealKey(0)) || len(value) > 0 {
			bad = damaged("stored place %x of a seal is malformed", key[1:])
		} else if index := binary.BigEndian.Uint64(key[1:]); x.roots[index+1] == (Hash{}) {
			bad = damaged("stored place %d of a seal is that of no live one", index)
		}
		return bad == nil
	})
	if err = cmp.Or(err, bad); err == nil && found != len(x.roots) {
		err = damaged("the places of %d seals are stored; %d leaves are live ones", found, len(x.roots))
	}
	return err
}

// checkReserved checks the tree last reserved: the whole one, or an earlier
// sealed one if a crash came before the reservation.
func (x *Index) checkReserved(view backend.View) error {
	v, err := backend.Get(view, reservedKey)
	if err != nil {
		return err
	}
	r, err := parseRoot(v)
	if err != nil {
		return err
	}
	if root, ok := x.roots[r.Size]; !ok || root != r.Hash {
		return damaged("the stored reservation is root %x at size %d; the leaves give %x", r.Hash, r.Size, root)
	}
	return nil
}

// checkPublished checks the published checkpoint, unless there is none yet.
func (x *Index) checkPublished(view backend.View, policy *trust.Policy) error {
	v, err := PublishedIn(view, nil)
	if err != nil || v == nil {
		return err
	}
	cp, err := policy.OpenLogSigned(v)
	if err != nil {
		return damaged("the published checkpoint: %w", err)
	}
	if root, ok := x.roots[cp.Size]; !ok || root != cp.Root {
		return damaged("the published checkpoint has root %x at size %d; the leaves give %x", cp.Root, cp.Size, root)
	}
	// Both are true on a node whose trust file has just changed, until it has
	// served; but only a damaged checkpoint stays as it is.
	if len(cp.OtherLines) > 0 {
		return damaged("the published checkpoint has a line by an unknown cosigner: %.80s; if the trust file has changed, serve once and check again", cp.OtherLines[0])
	}
	return nil
}
