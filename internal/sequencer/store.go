package sequencer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
)

// Keys of the side store; 'm' is the status map's (package mapstore).
//
//	'i' id       u64 index ‖ u64 sealed size: where an event is
//	'k' keyid    SubjectPublicKeyInfo of a key that an entry brought
//	'r'          u64 size ‖ root: the tree last reserved for signing
//	'c'          the newest checkpoint that is published, with cosignatures
const (
	prefixID   = 'i'
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

// place is where an event stands.
type place struct{ index, sealed uint64 }

func (p place) marshal() []byte {
	b := binary.BigEndian.AppendUint64(nil, p.index)
	return binary.BigEndian.AppendUint64(b, p.sealed)
}

func parsePlace(b []byte) (place, error) {
	if len(b) != 16 {
		return place{}, damaged("malformed place of an event in the side store")
	}
	return place{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, nil
}

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

// PlaceWrite, KeyWrites and PublishedWrite are what a copy of a log stores so
// that a prover finds in it what it finds in the log's own store: where an event
// stands, under which sealed size (0 until it is known); the keys that an entry
// with effect has brought; the checkpoint.
func PlaceWrite(id Hash, index, sealed uint64) backend.Write {
	return backend.Write{Key: idKey(id), Value: place{index, sealed}.marshal()}
}

func KeyWrites(e *entry.Entry) []backend.Write {
	var side []backend.Write
	for _, k := range e.NewKeys() {
		side = append(side, backend.Write{Key: spkiKey(k.ID()), Value: k.SPKI()})
	}
	return side
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
// themselves. It is what package admission needs.
type KeyStore struct{ Backend backend.Backend }

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
	_, _, ok, err := Lookup(s.Backend, id)
	return ok, err
}

// Lookup returns where the event with the id stands and the size of the first
// sealed tree that holds it.
func Lookup(b backend.Backend, id Hash) (index, sealed uint64, ok bool, err error) {
	value, err := get(b, idKey(id))
	if value == nil || err != nil {
		return 0, 0, false, err
	}
	p, err := parsePlace(value)
	return p.index, p.sealed, err == nil, err
}

// Published returns the newest published checkpoint with its cosignatures, or
// nil before the first.
func Published(b backend.Backend) ([]byte, error) { return get(b, publishedKey) }

// PublishedIn is Published as of a view, in which the state that it covers is
// found too.
func PublishedIn(v backend.View) ([]byte, error) { return backend.Get(v, publishedKey) }

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
	if Hash(rfc6962.DefaultHasher.HashLeaf(leaf)) != hash {
		return nil, damaged("leaf %d: %w: it does not have hash %x", index, mapfn.ErrNoLeaf, hash)
	}
	return leaf, nil
}

// placed parses the stored place of an event and compares it with the leaves.
func (s *Sequencer) placed(ctx context.Context, stored []byte, id Hash) (place, error) {
	p, err := parsePlace(stored)
	if err != nil {
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
