package verify_test

import (
	"bytes"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/trust"
)

// path returns the audit path of a leaf at the published size.
func (s *scene) path(index uint64) bundle.Path {
	s.t.Helper()
	state := s.State()
	defer state.Close()
	path, err := s.Backend.InclusionProof(s.t.Context(), index, state.Size)
	if err != nil {
		s.t.Fatal(err)
	}
	return path
}

// reseal gives b another last leaf, and the checkpoint that fits, signed by the
// log and k witnesses, who all lie. Paths of other leaves do not fit any more.
func (s *scene) reseal(b *bundle.Bundle, leaf string, k int) {
	s.t.Helper()
	cp, err := s.Policy.OpenLogSigned([]byte(b.Checkpoint))
	if err != nil {
		s.t.Fatal(err)
	}
	s.sign(b, leaf, cp.Size, k)
}

// sign is reseal with any size.
func (s *scene) sign(b *bundle.Bundle, leaf string, size uint64, k int) {
	s.t.Helper()
	b.Seal.Leaf = leaf
	body := trust.Body{Origin: s.Origin, Size: size, Root: lastRoot([]byte(leaf), b.Seal.Path)}
	b.Checkpoint = string(s.Sign(body, k, s.Now().Unix()))
}

// lastRoot is the root of the tree whose last leaf is leaf, path being its
// audit path: on the way up the last leaf is always to the right.
func lastRoot(leaf []byte, path bundle.Path) testnode.Hash {
	h := rfc6962.DefaultHasher.HashLeaf(leaf)
	for i := range path {
		h = rfc6962.DefaultHasher.HashChildren(path[i][:], h)
	}
	return testnode.Hash(h)
}

func indent(t testing.TB, out *bytes.Buffer, file []byte) {
	t.Helper()
	v := jsontext.Value(bytes.Clone(file))
	if err := v.Indent(); err != nil {
		t.Fatal(err)
	}
	out.Write(v)
}
