package sequencer

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/treehash"
	"github.com/standing-log/standing/personality/trust"
)

// Keys of the side store; 'm' is the status map's (package mapstore).
//
//	'i' id       u64 index: where an event is, unless it is an attestation: then its
//	             record in the map says so, and the store has one key less to sort in
//	's' index    nothing: at u64 index is a live seal
//	'k' keyid    SubjectPublicKeyInfo of a key that an entry brought
//	'r'          u64 size ‖ root: the tree last reserved for signing
//	'c'          the newest checkpoint that is published, with cosignatures
const (
	prefixID   = 'i'
	prefixSeal = 's'
	prefixKey  = 'k'
	prefixSign = 'r'
	prefixCP   = 'c'
)

var (
	reservedKey  = []byte{prefixSign}
	publishedKey = []byte{prefixCP}
)

func idKey(id Hash) []byte   { return append([]byte{prefixID}, id[:]...) }
func spkiKey(id Hash) []byte { return append([]byte{prefixKey}, id[:]...) }

func sealKey(index uint64) []byte { return binary.BigEndian.AppendUint64([]byte{prefixSeal}, index) }

func marshalIndex(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

func marshalRoot(r backend.Root) []byte {
	return append(binary.BigEndian.AppendUint64(nil, r.Size), r.Hash[:]...)
}

// parseRoot parses what marshalRoot wrote; nil is the empty tree.
func parseRoot(b []byte) (backend.Root, error) {
	if b == nil {
		return backend.Root{Hash: Hash(rfc6962.DefaultHasher.EmptyRoot())}, nil
	}
	if len(b) != 40 {
		return backend.Root{}, damaged("malformed reservation in the side store")
	}
	return backend.Root{Size: binary.BigEndian.Uint64(b), Hash: Hash(b[8:])}, nil
}

// damaged is an error of class backend.ErrDamaged.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", backend.ErrDamaged, fmt.Errorf(format, args...))
}

// EntryWrites, SealWrite and PublishedWrite are what is stored, here and in a copy of
// a log, so that a prover finds it: where an entry with effect stands, and the keys
// that it has brought; where a live seal stands; the checkpoint.
func EntryWrites(e *entry.Entry, index uint64) []backend.Write {
	var side []backend.Write
	if e.Kind != entry.KindAttestation {
		side = append(side, backend.Write{Key: idKey(e.ID), Value: marshalIndex(index)})
	}
	for _, k := range e.NewKeys() {
		side = append(side, backend.Write{Key: spkiKey(k.ID()), Value: k.SPKI()})
	}
	return side
}

func SealWrite(index uint64) backend.Write {
	return backend.Write{Key: sealKey(index), Value: []byte{}}
}

func PublishedWrite(checkpoint []byte) backend.Write {
	return backend.Write{Key: publishedKey, Value: checkpoint}
}

// ReservedWrite makes root the tree last reserved for signing. It is for a store
// that is made again, and that nobody has signed from.
func ReservedWrite(root backend.Root) backend.Write {
	return backend.Write{Key: reservedKey, Value: marshalRoot(root)}
}

// Reserved returns the tree last reserved for signing, which may be signed; it
// is empty before the first.
func Reserved(b backend.Backend) (backend.Root, error) {
	v, err := get(b, reservedKey)
	if err != nil {
		return backend.Root{}, err
	}
	return parseRoot(v)
}

// get reads one value of the side store.
func get(b backend.Backend, key []byte) ([]byte, error) {
	v := b.View()
	defer v.Close()
	return backend.Get(v, key)
}

// KeyStore finds what entries of a log have brought: public keys, and
// themselves. It is what package admission needs. The cache is the map's, or nil.
type KeyStore struct {
	Backend backend.Backend
	Cache   *mapstore.Cache
}

// SPKI returns the SubjectPublicKeyInfo with the keyid, or nil.
func (s KeyStore) SPKI(id mapfn.Hash) ([]byte, error) {
	spki, err := get(s.Backend, spkiKey(id))
	if err == nil && spki != nil && sha256.Sum256(spki) != id {
		return nil, damaged("what is stored as key %x is another", id)
	}
	return spki, err
}

// Known reports whether the event with the id is in the log.
func (s KeyStore) Known(id Hash) (bool, error) {
	_, ok, err := Lookup(s.Backend, s.Cache, id)
	return ok, err
}

// Lookup returns where the event with the id stands. The cache is the map's, or nil.
func Lookup(b backend.Backend, cache *mapstore.Cache, id Hash) (index uint64, ok bool, err error) {
	view := b.View()
	defer view.Close()
	if index, ok, err = placeOf(view, id); ok || err != nil {
		return index, ok, err
	}
	state, err := mapstore.Open(view, cache)
	if err != nil {
		return 0, false, err
	}
	return attested(state, id)
}

// placeOf returns where an event stands that is no attestation.
func placeOf(view backend.View, id Hash) (index uint64, ok bool, err error) {
	b, err := backend.Get(view, idKey(id))
	if b == nil || err != nil {
		return 0, false, err
	}
	if len(b) != 8 {
		return 0, false, damaged("malformed place of event %x in the side store", id)
	}
	return binary.BigEndian.Uint64(b), true, nil
}

// attested returns where an attestation stands.
func attested(state interface {
	Record(ns mapfn.NS, data []byte) ([]byte, error)
}, id Hash) (index uint64, ok bool, err error) {
	b, err := state.Record(mapfn.NSAttestation, id[:])
	if b == nil || err != nil {
		return 0, false, err
	}
	r, err := mapfn.ParseAttestation(b)
	if err != nil {
		return 0, false, damaged("record of attestation %x: %w", id, err)
	}
	return r.Issued, true, nil
}

// sealedAfter returns the size of the first sealed tree that holds the leaf at index,
// or 0 if there is none yet.
func sealedAfter(view backend.View, index uint64) (size uint64, err error) {
	scanErr := view.Scan(sealKey(index+1), []byte{prefixSeal + 1}, func(key, _ []byte) bool {
		if len(key) != len(sealKey(0)) {
			err = damaged("malformed place %x of a seal in the side store", key[1:])
			return false
		}
		size = binary.BigEndian.Uint64(key[1:]) + 1
		return false
	})
	return size, cmp.Or(scanErr, err)
}

// Published returns the newest published checkpoint with its cosignatures, or
// nil before the first.
func Published(b backend.Backend) ([]byte, error) { return get(b, publishedKey) }

// PublishedIn is Published as of a view, in which the state that it covers is
// found too. If it is what the caller knows, as it mostly is, that is returned.
func PublishedIn(v backend.View, known []byte) (checkpoint []byte, err error) {
	err = v.Read(publishedKey, func(lent []byte) error {
		if checkpoint = known; known == nil || !bytes.Equal(lent, known) {
			checkpoint = bytes.Clone(lent)
		}
		return nil
	})
	return checkpoint, err
}

// leafReader reads leaves for the map function: those of the store, then those
// of the batch in the making.
type leafReader struct {
	ctx     context.Context
	backend backend.Backend
	first   uint64
	leaves  [][]byte
}

func (l *leafReader) Leaf(index uint64, hash mapfn.Hash) ([]byte, error) {
	var leaf []byte
	switch {
	case index < l.first:
		got, err := l.backend.Leaves(l.ctx, index, 1)
		if err != nil {
			return nil, err
		}
		leaf = got[0]
	case index-l.first < uint64(len(l.leaves)):
		leaf = l.leaves[index-l.first]
	default:
		return nil, mapfn.ErrNoLeaf
	}
	if treehash.Leaf(leaf) != hash {
		return nil, damaged("leaf %d: %w: it does not have hash %x", index, mapfn.ErrNoLeaf, hash)
	}
	return leaf, nil
}

// place is where an event stands, and the size of the first sealed tree that holds it.
type place struct{ index, sealed uint64 }

// placed returns the place of an event that stands at index, and compares it with the
// leaves.
func (s *Sequencer) placed(ctx context.Context, index uint64, id Hash) (p place, err error) {
	view := s.cfg.Backend.View()
	defer view.Close()
	p.index = index
	if p.sealed, err = sealedAfter(view, index); err != nil {
		return p, err
	}
	if size := s.tree.End(); p.index >= p.sealed || p.sealed > size {
		return p, damaged("event %x has place %d, under the seal of size %d, in a log of %d leaves", id, p.index, p.sealed, size)
	}
	leaf, err := s.cfg.Backend.Leaves(ctx, p.index, 1)
	if err != nil {
		return p, err
	}
	last, err := s.cfg.Backend.Leaves(ctx, p.sealed-1, 1)
	if err != nil {
		return p, err
	}
	e, err := entry.Parse(leaf[0])
	if err != nil || e.ID != id {
		return p, damaged("leaf %d is not event %x, which the side store finds there: %v", p.index, id, err)
	}
	first, err := seal.Parse(last[0])
	if err != nil || first.Index != p.sealed-1 || first.Prev != nil && *first.Prev > p.index {
		return p, damaged("leaf %d is not the first seal after leaf %d: %v", p.sealed-1, p.index, err)
	}
	return p, nil
}

// sizeOf returns the size of a stored checkpoint, which is our own; 0 for nil.
func sizeOf(checkpoint []byte) (uint64, error) {
	if checkpoint == nil {
		return 0, nil
	}
	body, err := trust.ParseBody(noteText(checkpoint))
	return body.Size, err
}
