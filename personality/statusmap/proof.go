package statusmap

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Errors of this package. A reader treats both alike: nothing has been proven.
var (
	// ErrMalformed means that a proof is not the one encoding of any claim.
	ErrMalformed = errors.New("malformed map proof")
	// ErrNotProven means that a well-formed proof does not show the claim
	// under the root, or shows the opposite.
	ErrNotProven = errors.New("not proven by the map")
)

// Terminal says what stands where the path of the key ends.
type Terminal byte

// The terminals. No other value is valid.
const (
	TerminalEmpty Terminal = 0 // an empty subtree: the key is absent
	TerminalKey   Terminal = 1 // the key's own leaf: it is present
	TerminalOther Terminal = 2 // another key's leaf: the key is absent
)

// proofVersion is the first byte of an encoding.
const proofVersion = 1

// MaxProofSize is the length of the longest encoding.
const MaxProofSize = 4 + 64 + KeyBits/8 + KeyBits*32

// Proof leads from a map key to a root. It does not contain the key: it is
// good for whatever claim its verification succeeds with, and for no other.
type Proof struct {
	Terminal Terminal

	// Siblings[i] is the hash of the sibling below the node at depth i, on
	// the path from the root; zero where the sibling is empty. Their number,
	// at most 256, is the depth of the terminal; the last is not zero.
	Siblings []Hash

	// The leaf that stands in the key's place. TerminalOther only.
	OtherKey, OtherValue Hash
}

// ParseProof decodes a proof and fails with ErrMalformed unless b is exactly
// what Marshal would return for it.
func ParseProof(b []byte) (Proof, error) {
	if len(b) > MaxProofSize {
		return Proof{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	r := reader{b: b}
	version, terminal, depth := r.byte(), Terminal(r.byte()), r.uint16()
	switch {
	case r.short:
		return Proof{}, fmt.Errorf("%w: no header in %d bytes", ErrMalformed, len(b))
	case version != proofVersion:
		return Proof{}, fmt.Errorf("%w: version %d", ErrMalformed, version)
	case terminal > TerminalOther:
		return Proof{}, fmt.Errorf("%w: terminal %d", ErrMalformed, terminal)
	case depth > KeyBits:
		return Proof{}, fmt.Errorf("%w: depth %d", ErrMalformed, depth)
	}
	p := Proof{Terminal: terminal}
	if terminal == TerminalOther {
		p.OtherKey, p.OtherValue = r.hash(), r.hash()
	}
	if err := p.parseSiblings(&r, depth); err != nil {
		return Proof{}, err
	}
	if err := p.check(); err != nil {
		return Proof{}, err
	}
	return p, nil
}

func (p *Proof) parseSiblings(r *reader, depth int) error {
	// SPEC: "bitmap ceil(depth/8): bit i = sibling below the node at depth i
	// is non-empty; siblings, deepest first; depth 0 has neither."
	var bitmap Hash
	copy(bitmap[:], r.next((depth+7)/8))
	for i := depth; i < (depth+7)/8*8; i++ {
		// SPEC: "reject non-zero padding"
		if bit(&bitmap, i) == 1 {
			return fmt.Errorf("%w: padding bit %d is set", ErrMalformed, i)
		}
	}
	if depth > 0 {
		p.Siblings = make([]Hash, depth)
	}
	for i := depth - 1; i >= 0; i-- {
		if bit(&bitmap, i) == 0 {
			continue
		}
		p.Siblings[i] = r.hash()
		// SPEC: "reject an all-zero sibling"
		if !r.short && p.Siblings[i] == (Hash{}) {
			return fmt.Errorf("%w: zero sibling at depth %d", ErrMalformed, i)
		}
	}
	// SPEC: "reject wrong length"
	if r.short || len(r.b) != 0 {
		return fmt.Errorf("%w: wrong length", ErrMalformed)
	}
	return nil
}

// check holds a Proof, parsed or put together, against the rules that do not
// depend on the key.
func (p Proof) check() error {
	depth := len(p.Siblings)
	switch {
	case p.Terminal > TerminalOther:
		return fmt.Errorf("%w: terminal %d", ErrMalformed, p.Terminal)
	case depth > KeyBits:
		return fmt.Errorf("%w: depth %d", ErrMalformed, depth)
	case depth > 0 && p.Siblings[depth-1] == (Hash{}):
		// SPEC: "reject depth > 0 with the deepest sibling empty": a leaf
		// whose sibling is empty stands one level higher.
		return fmt.Errorf("%w: deepest sibling is empty", ErrMalformed)
	}
	return nil
}

// Marshal returns the encoding of p. If p breaks a rule, ParseProof refuses
// the result.
func (p Proof) Marshal() []byte {
	depth := len(p.Siblings)
	n := 4 + 64 + (depth+7)/8 + 32*depth
	b := append(make([]byte, 0, n), proofVersion, byte(p.Terminal))
	b = binary.BigEndian.AppendUint16(b, uint16(min(depth, KeyBits+1)))
	if p.Terminal == TerminalOther {
		b = append(b, p.OtherKey[:]...)
		b = append(b, p.OtherValue[:]...)
	}
	at := len(b)
	b = append(b, make([]byte, (depth+7)/8)...)
	for i := depth - 1; i >= 0; i-- {
		if p.Siblings[i] != (Hash{}) {
			b[at+i/8] |= 0x80 >> (i % 8)
			b = append(b, p.Siblings[i][:]...)
		}
	}
	return b
}

// VerifyPresent returns nil iff p shows that the map under root holds key with
// the value hash vh. It fails with ErrMalformed or ErrNotProven.
func (p Proof) VerifyPresent(root, key, vh Hash) error {
	if err := p.check(); err != nil {
		return err
	}
	if p.Terminal != TerminalKey {
		return fmt.Errorf("%w: proof of absence", ErrNotProven)
	}
	return p.lead(root, key, LeafHash(key, vh))
}

// VerifyAbsent returns nil iff p shows that the map under root does not hold
// key. It fails with ErrMalformed or ErrNotProven.
func (p Proof) VerifyAbsent(root, key Hash) error {
	if err := p.check(); err != nil {
		return err
	}
	switch p.Terminal {
	case TerminalEmpty:
		return p.lead(root, key, Hash{})
	case TerminalKey:
		return fmt.Errorf("%w: proof of presence", ErrNotProven)
	}
	// SPEC: "reject terminal 2 with an equal key or one that does not share
	// the first depth bits"
	shared := sharedBits(&p.OtherKey, &key)
	switch {
	case shared == KeyBits:
		return fmt.Errorf("%w: the other key is this key", ErrMalformed)
	case shared < len(p.Siblings):
		return fmt.Errorf("%w: the other key is not on the path", ErrMalformed)
	}
	return p.lead(root, key, LeafHash(p.OtherKey, p.OtherValue))
}

// lead hashes from the terminal up to the root.
func (p Proof) lead(root, key, h Hash) error {
	for i := len(p.Siblings) - 1; i >= 0; i-- {
		h = join(&key, i, h, p.Siblings[i])
	}
	if h != root {
		return fmt.Errorf("%w: leads to another root", ErrNotProven)
	}
	return nil
}

// reader takes an encoding apart. After a read beyond its end, short is set
// and everything read is zero.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) next(n int) []byte {
	if r.short || len(r.b) < n {
		r.short = true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.next(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() int {
	if b := r.next(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) hash() (h Hash) {
	copy(h[:], r.next(len(h)))
	return h
}
