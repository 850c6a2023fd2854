// Package statusmap is the hashing and the proofs of the status map: a sparse
// binary Merkle map from 32-byte keys to 32-byte value hashes, whose root is
// in every seal. It knows no records and keeps no state; SPEC.md beside this
// file is the format, with vectors in testdata.
//
// Readers want [Key], [ValueHash], [ParseProof], [Proof.VerifyPresent] and
// [Proof.VerifyAbsent]. [Root] and [Prove] are the definition written out:
// they take the whole map, and are what faster code is tested against.
//
//	proof, err := statusmap.ParseProof(encoded)
//	if err != nil {
//		return err
//	}
//	key := statusmap.Key(1, attestationID)
//	err = proof.VerifyPresent(seal.MapRoot, key, statusmap.ValueHash(1, record))
//
// # Invariants
//
//   - A map has one root, whatever the order in which it was filled.
//   - For any 32-byte root, however malformed the tree under it, at most one
//     claim about a key verifies: present with one value hash, or absent.
//   - One key, one root, one proof: [ParseProof] accepts exactly the bytes that
//     [Proof.Marshal] produces.
//   - Nothing hashed here can be an RFC 6962 leaf or node: the first byte of
//     each preimage differs.
package statusmap

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Hash is a SHA-256 value: a map key, a value hash, a node or a root. The zero
// Hash is the empty subtree, and so the root of the empty map.
type Hash = [32]byte

// KeyBits is the length of a map key in bits, and the greatest depth of a leaf.
const KeyBits = 256

// SPEC: "First byte of the preimages: 0x02 / 0x03 map leaf / node, 0x10 record,
// 0x11 map key." RFC 6962 has 0x00 and 0x01.
const (
	tagLeaf   = 0x02
	tagNode   = 0x03
	tagRecord = 0x10
	tagKey    = 0x11
)

// Key returns the map key of data in namespace ns.
//
// Data is at most 65,535 bytes. That of longer data is not an error, only the
// key of nothing: no map can hold it, and no other data has it.
func Key(ns byte, data []byte) Hash {
	// SPEC: key(ns, data) = H(0x11 ‖ ns ‖ uint16 len(data) ‖ data)
	b := make([]byte, 0, 128)
	b = append(b, tagKey, ns)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return sha256.Sum256(append(b, data...))
}

// ValueHash returns the value hash of record in namespace ns.
func ValueHash(ns byte, record []byte) Hash {
	// SPEC: vh(ns, record) = H(0x10 ‖ ns ‖ record)
	b := make([]byte, 0, 512)
	b = append(b, tagRecord, ns)
	return sha256.Sum256(append(b, record...))
}

// LeafHash returns the hash of the subtree that holds key alone, at whatever
// depth it stands.
func LeafHash(key, vh Hash) Hash {
	// SPEC: leaf(k, vh) = H(0x02 ‖ k ‖ vh)
	return hashPair(tagLeaf, &key, &vh)
}

// NodeHash returns the hash of a subtree of two keys or more, from the hashes
// of its halves.
func NodeHash(left, right Hash) Hash {
	// SPEC: node(l, r) = H(0x03 ‖ l ‖ r)
	return hashPair(tagNode, &left, &right)
}

func hashPair(tag byte, a, b *Hash) Hash {
	var buf [65]byte
	buf[0] = tag
	copy(buf[1:33], a[:])
	copy(buf[33:], b[:])
	return sha256.Sum256(buf[:])
}

// Root returns the root of the map from keys to value hashes, by the recursive
// definition. It takes time and memory in proportion to the size of m.
func Root(m map[Hash]Hash) Hash {
	return newWhole(m).hash(0)
}

// Prove returns the proof about key in the map m: of presence if m has it, of
// absence if not. It takes time and memory in proportion to the size of m.
func Prove(m map[Hash]Hash, key Hash) Proof {
	s := newWhole(m)
	var siblings []Hash
	for len(s.keys) > 1 {
		d := len(siblings)
		zeros, ones := s.split(d)
		near, far := zeros, ones
		if bit(&key, d) == 1 {
			near, far = ones, zeros
		}
		siblings = append(siblings, far.hash(d+1))
		s = near
	}
	p := Proof{Siblings: siblings}
	switch {
	case len(s.keys) == 0:
		p.Terminal = TerminalEmpty
	case s.keys[0] == key:
		p.Terminal = TerminalKey
	default:
		p.Terminal, p.OtherKey, p.OtherValue = TerminalOther, s.keys[0], m[s.keys[0]]
	}
	return p
}

// whole is a subtree given by all of its keys, sorted.
type whole struct {
	keys []Hash
	m    map[Hash]Hash
}

func newWhole(m map[Hash]Hash) whole {
	keys := make([]Hash, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b Hash) int { return bytes.Compare(a[:], b[:]) })
	return whole{keys, m}
}

// split parts the keys on bit d, which is the first on which they may differ.
func (s whole) split(d int) (zeros, ones whole) {
	i, _ := slices.BinarySearchFunc(s.keys, 1, func(k Hash, one int) int {
		return bit(&k, d) - one
	})
	return whole{s.keys[:i], s.m}, whole{s.keys[i:], s.m}
}

// hash returns T(S, d).
func (s whole) hash(d int) Hash {
	// SPEC: T(S, d) = 32 zero bytes if S empty, leaf(k, vh) if S = {(k, vh)},
	// else node(T(S0, d+1), T(S1, d+1)), split on bit d of the key.
	switch len(s.keys) {
	case 0:
		return Hash{}
	case 1:
		return LeafHash(s.keys[0], s.m[s.keys[0]])
	}
	zeros, ones := s.split(d)
	return NodeHash(zeros.hash(d+1), ones.hash(d+1))
}

// bit returns bit i of k.
func bit(k *Hash, i int) int {
	// SPEC: "Bit i of key or bitmap = bit 7 − (i mod 8) of byte i div 8."
	return int(k[i/8]>>(7-i%8)) & 1
}

// sharedBits returns how many leading bits a and b have in common.
func sharedBits(a, b *Hash) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return KeyBits
}
