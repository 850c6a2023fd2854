package entry

import (
	"crypto/rand"
	"crypto/sha512"

	"filippo.io/edwards25519"
)

// VerifyAll is Verify for entries[i] under keys[i], in less time: the equations
// of Ed25519 signatures are checked together, as ZIP-215 allows, and one by one
// only if that fails. The errors are those of Verify.
func VerifyAll(entries []*Entry, keys []PublicKey) []error {
	errs := make([]error, len(entries))
	together := make([]int, 0, len(entries))
	for i, e := range entries {
		if k := keys[i]; k.isEd25519() && k.ID() == e.KeyID && len(e.Signature) == 64 {
			together = append(together, i)
		} else {
			errs[i] = e.Verify(k)
		}
	}
	for len(together) > 0 {
		n := min(len(together), equationMax)
		verifyTogether(entries, keys, together[:n], errs)
		together = together[n:]
	}
	return errs
}

// equationMax bounds the signatures of one equation: what it computes with
// stays in the processor's first caches.
const equationMax = 64

// verifyTogether sets errs[i] for each i that is chosen.
func verifyTogether(entries []*Entry, keys []PublicKey, chosen []int, errs []error) {
	eq := newEquation(len(chosen))
	good := len(chosen) > 1
	for _, i := range chosen {
		good = good && eq.add(keys[i].point(), entries[i])
	}
	good = good && eq.holds()
	for _, i := range chosen {
		if good {
			errs[i] = entries[i].verifyRest()
		} else {
			errs[i] = entries[i].Verify(keys[i])
		}
	}
}

// equation is the sum of the equations of Ed25519 signatures (R, s) by keys A
// of messages with challenges k, each times a random z of 128 bits:
//
//	[8] ( [−Σ z·s] B + Σ [z] R + Σ [z·k] A ) = 0
//
// It holds if all of them do, and else with probability 2^-128, as in section
// "Batch verification" of ZIP-215. Signatures by one key share its term, which
// is why it is ours and not that of ed25519consensus: an issuer signs many
// entries at a time, and that term is more than half of what one costs.
type equation struct {
	scalars []*edwards25519.Scalar // of B, of each R, and of each A at the end
	points  []*edwards25519.Point
	keys    map[string]*edwards25519.Scalar // by A
}

func newEquation(n int) *equation {
	return &equation{
		scalars: append(make([]*edwards25519.Scalar, 0, 2*n+1), edwards25519.NewScalar()),
		points:  append(make([]*edwards25519.Point, 0, 2*n+1), edwards25519.NewGeneratorPoint()),
		keys:    map[string]*edwards25519.Scalar{},
	}
}

// add adds an entry whose signature, by key, has 64 bytes. It reports false if
// that cannot be one.
func (q *equation) add(key []byte, e *Entry) bool {
	sig := e.Signature
	// SPEC: R may be any encoding of a point, s is below the order (ZIP-215).
	r, err := new(edwards25519.Point).SetBytes(sig[:32])
	if err != nil {
		return false
	}
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(sig[32:])
	if err != nil {
		return false
	}
	h := sha512.New()
	h.Write(sig[:32])
	h.Write(key)
	h.Write(paeHead(e.Payload, 0))
	h.Write(e.Payload)
	k, err := new(edwards25519.Scalar).SetUniformBytes(h.Sum(nil))
	if err != nil {
		return false
	}
	var random [32]byte // the upper half stays 0: below the order
	_, _ = rand.Read(random[:16])
	z, err := new(edwards25519.Scalar).SetCanonicalBytes(random[:])
	if err != nil {
		return false
	}
	q.scalars, q.points = append(q.scalars, z), append(q.points, r)
	q.scalars[0].MultiplyAdd(z, s, q.scalars[0])
	sum := q.keys[string(key)]
	if sum == nil {
		sum = edwards25519.NewScalar()
		q.keys[string(key)] = sum
	}
	sum.MultiplyAdd(z, k, sum)
	return true
}

// holds reports whether the equation holds. It is called once.
func (q *equation) holds() bool {
	for key, sum := range q.keys {
		a, err := new(edwards25519.Point).SetBytes([]byte(key))
		if err != nil {
			return false
		}
		q.scalars, q.points = append(q.scalars, sum), append(q.points, a)
	}
	q.scalars[0].Negate(q.scalars[0])
	sum := new(edwards25519.Point).VarTimeMultiScalarMult(q.scalars, q.points)
	return sum.MultByCofactor(sum).Equal(edwards25519.NewIdentityPoint()) == 1
}

// verifyRest ends Verify for an entry whose signature is right.
func (e *Entry) verifyRest() error {
	if err := e.verifyPossession(); err != nil {
		return err
	}
	e.verified = true
	return nil
}
