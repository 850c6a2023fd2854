package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/statusmap"
	"github.com/standing-log/standing/personality/trust"
)

const flipOrigin = "log.example/flip"

// flipper is an operator who makes a log whose seals are right, but for those
// in which one record is as it was before it was revoked.
type flipper struct {
	t           *testing.T
	log         *replay.Log // of the entries, and of seals that are right
	leaves      [][]byte
	values      map[statusmap.Hash]statusmap.Hash
	tree, list  *compact.Range
	withdrawals uint64
	sealed      *uint64
}

func newFlipper(t *testing.T) *flipper {
	ranges := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	f := &flipper{t: t, values: map[statusmap.Hash]statusmap.Hash{}, tree: ranges.NewEmptyRange(0), list: ranges.NewEmptyRange(0)}
	f.log = replay.New(flipOrigin, func(i uint64) ([]byte, error) { return f.leaves[i], nil })
	return f
}

func (f *flipper) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *flipper) append(leaf []byte) {
	f.leaves = append(f.leaves, leaf)
	f.must(f.tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil))
}

func (f *flipper) add(e *entry.Entry) {
	f.t.Helper()
	out, err := f.log.Add(e.Leaf)
	f.must(err)
	if out.Ignored != nil {
		f.t.Fatal(out.Ignored)
	}
	f.append(e.Leaf)
	for _, c := range out.Writes.Changes {
		f.values[statusmap.Key(byte(c.NS), c.Data)] = statusmap.ValueHash(byte(c.NS), c.Record)
	}
	for _, w := range out.Writes.Withdrawals {
		f.must(f.list.Append(rfc6962.DefaultHasher.HashLeaf(w.Append(nil)), nil))
		f.withdrawals++
	}
}

// seal appends a seal over values, and returns its index.
func (f *flipper) seal(values map[statusmap.Hash]statusmap.Hash) uint64 {
	f.t.Helper()
	index := uint64(len(f.leaves))
	s := &seal.Seal{
		Origin: flipOrigin, Index: index, Prev: f.sealed, MapFn: mapfn.Version, SealedAt: 1_795_000_000 + index,
		Keys: uint64(len(values)), MapRoot: statusmap.Root(values), Withdrawals: f.withdrawals,
		WithdrawalRoot: rootOf(f.t, f.list), PrefixRoot: rootOf(f.t, f.tree),
	}
	// The operator's own replay knows the leaf as one that it does not judge.
	_, err := f.log.Add([]byte("standing/seal/ stands here"))
	f.must(err)
	f.append(s.Marshal())
	f.sealed = &index
	return index
}

func rootOf(t *testing.T, r *compact.Range) seal.Hash {
	t.Helper()
	if r.End() == 0 {
		return seal.Hash(rfc6962.DefaultHasher.EmptyRoot())
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		t.Fatal(err)
	}
	return seal.Hash(root)
}

// flip returns values with the record of an attestation as it was.
func flip(values map[statusmap.Hash]statusmap.Hash, key, was statusmap.Hash) map[statusmap.Hash]statusmap.Hash {
	out := map[statusmap.Hash]statusmap.Hash{key: was}
	for k, v := range values {
		if k != key {
			out[k] = v
		}
	}
	return out
}

// store makes the directory of a stopped node that has the leaves, and has
// published them.
func (f *flipper) store(leaves [][]byte) string {
	f.t.Helper()
	dir := filepath.Join(f.t.TempDir(), "node")
	quiet := slog.New(slog.DiscardHandler)
	f.must(node.Init(f.t.Context(), dir, flipOrigin, quiet))
	store := filepath.Join(dir, "store")
	f.must(os.RemoveAll(store))
	b, err := embedded.Open(f.t.Context(), embedded.Options{Dir: store, Logger: quiet})
	f.must(err)
	_, err = b.Append(f.t.Context(), 0, leaves, []backend.Write{sequencer.PublishedWrite(f.sign(dir, leaves))})
	f.must(err)
	f.must(b.Close())
	return dir
}

// sign signs the tree of the leaves with the node's key, whose quorum is none.
func (f *flipper) sign(dir string, leaves [][]byte) []byte {
	f.t.Helper()
	file := filepath.Join(dir, "trust.policy")
	policy, err := os.ReadFile(file)
	f.must(err)
	f.must(os.WriteFile(file, bytes.Replace(policy, []byte("\nquorum local"), []byte("\nquorum none"), 1), 0o600))
	skey, err := os.ReadFile(filepath.Join(dir, "log.key"))
	f.must(err)
	signer, err := note.NewSigner(strings.TrimSpace(string(skey)))
	f.must(err)
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for _, leaf := range leaves {
		f.must(tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil))
	}
	body := trust.Body{Origin: flipOrigin, Size: uint64(len(leaves)), Root: rootOf(f.t, tree)}
	signed, err := note.Sign(&note.Note{Text: body.String()}, signer)
	f.must(err)
	return signed
}

func fsckOf(args ...string) (code int, stderr string) {
	var out, errs bytes.Buffer
	code = Main(context.Background(), append([]string{"fsck"}, args...), strings.NewReader(""), &out, &errs)
	return code, errs.String()
}

// TestFlipFlop shows a revoked attestation as active for one seal, k+1 of k to
// k+2, and as the last seal of a log. Both implementations stop there, whatever
// follows, and name the seal and its line; and there is a file that proves it.
func TestFlipFlop(t *testing.T) {
	f := newFlipper(t)
	registrar, root := testlog.NewKey("registrar", false), testlog.NewKey("root", true)
	f.add(testlog.Charter(flipOrigin, nil, "open", []*testlog.Key{registrar}, root))
	f.seal(f.values)
	p := testlog.NewParty("flip", 1)
	f.add(p.Enrol(flipOrigin, registrar))
	attest := func(purl string) *entry.Entry {
		return testlog.Attest(p.Keys[0], testlog.Claims(flipOrigin, 1_795_000_000, 3), testlog.Component(purl))
	}
	victim := attest("pkg:npm/express@4.22.2")
	f.add(victim)
	f.seal(f.values)
	key := statusmap.Key(byte(mapfn.NSAttestation), victim.ID[:])
	was := f.values[key]
	f.add(testlog.Revoke(flipOrigin, 0, p.Keys[0], victim.ID))
	f.seal(f.values) // k
	f.add(attest("pkg:npm/lodash@4.17.21"))
	false1 := f.seal(flip(f.values, key, was)) // k+1
	f.add(attest("pkg:npm/semver@7.7.3"))
	f.seal(f.values) // k+2

	stored := map[string][][]byte{"for one seal": f.leaves, "in the last seal": f.leaves[:false1+1]}
	for name, leaves := range stored {
		dir := f.store(leaves)
		for says, args := range map[string][]string{
			fmt.Sprintf("leaf %d is a false seal: it says map root", false1): {dir},
			fmt.Sprintf("seal at %d: line 8 is", false1):                     {"--oracle", dir},
		} {
			t.Chdir(t.TempDir())
			code, errs := fsckOf(args...)
			if code != exitEvidence || !strings.Contains(errs, says) {
				t.Errorf("%s: fsck %v: code %d: %s; want %q", name, args[:len(args)-1], code, errs, says)
			}
			file := fmt.Sprintf("log.example_flip-false-seal-%d.evidence.json", false1)
			if !strings.Contains(errs, "standing verify "+file) {
				t.Errorf("%s: fsck %v: no evidence: %s", name, args[:len(args)-1], errs)
			}
			if code := Main(t.Context(), []string{"verify", file, "--trust", filepath.Join(dir, "trust.policy")}, strings.NewReader(""), io.Discard, io.Discard); code != exitEvidence {
				t.Errorf("%s: fsck %v: verify %s: code %d", name, args[:len(args)-1], file, code)
			}
		}
	}
	// Before the lie all is well.
	if code, errs := fsckOf("--oracle", f.store(f.leaves[:false1-1])); code != exitStands {
		t.Errorf("before: code %d: %s", code, errs)
	}
}

// TestFunctionToCome has a log in which a function is in force that nobody here
// knows: it cannot be told what its leaves are, which is no evidence of a lie.
func TestFunctionToCome(t *testing.T) {
	f := newFlipper(t)
	registrar, root := testlog.NewKey("registrar", false), testlog.NewKey("root", true)
	first := testlog.Charter(flipOrigin, nil, "open", []*testlog.Key{registrar}, root)
	f.add(first)
	f.seal(f.values)
	next := *first.Charter
	next.After, next.MapFn = new(uint64), 2
	f.add(testlog.Sign(root, &next, entry.LogSubject(flipOrigin)))
	f.append([]byte("whatever this may be"))
	dir := f.store(f.leaves)
	for _, args := range [][]string{{dir}, {"--oracle", dir}} {
		if code, errs := fsckOf(args...); code != exitCannotTell || !strings.Contains(errs, "leaf 3") || !strings.Contains(errs, "function 2") {
			t.Errorf("fsck %v: code %d: %s", args[:len(args)-1], code, errs)
		}
	}
}
