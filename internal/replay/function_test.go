package replay

import (
	"errors"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
)

// TestOtherFunction puts function 2 in force: the leaf that does so is read,
// and no leaf after it, of whatever kind.
func TestOtherFunction(t *testing.T) {
	m := newMaker(t)
	root, registrar := testlog.NewKey("root", false), testlog.NewKey("registrar", false)
	charter := testlog.Charter(origin, nil, "open", []*testlog.Key{registrar}, root)
	m.add(charter.Leaf)
	m.seal()
	next, after := *charter.Charter, uint64(0)
	next.After, next.MapFn = &after, mapfn.Version+1
	if out := m.add(testlog.Sign(root, &next, entry.LogSubject(origin)).Leaf); out.Ignored != nil {
		t.Fatal(out.Ignored)
	}
	seal := m.due()
	seal.MapFn = next.MapFn
	for name, leaf := range map[string][]byte{
		"charter": charter.Leaf, "no entry": []byte("{}"), "seal": seal.Marshal(), "seal of function 1": m.due().Marshal(),
		"stray": []byte("standing/seal/v2"),
	} {
		if out, err := m.Add(leaf); !errors.Is(err, mapfn.ErrFunction) || reason.CodeOf(err) != "" {
			t.Errorf("%s: %+v, %v, want ErrFunction", name, out, err)
		}
	}
	if m.Size() != 3 {
		t.Errorf("%d leaves were read, not 3", m.Size())
	}
}
