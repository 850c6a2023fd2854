package statusmap

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the vectors in testdata anew")

// The vector files. All byte strings are lower-case hex.
type (
	goodFile struct {
		Hashes []hashVector  `json:"hashes"`
		Roots  []rootVector  `json:"roots"`
		Proofs []proofVector `json:"proofs"`
	}
	hashVector struct {
		Function string   `json:"function"` // key, vh, leaf, node
		Args     []string `json:"args"`
		Hash     string   `json:"hash"`
	}
	rootVector struct {
		Name  string            `json:"name"`
		Pairs map[string]string `json:"pairs"` // key: value hash
		Root  string            `json:"root"`
	}
	proofVector struct {
		Name    string `json:"name"`
		Root    string `json:"root"`
		Key     string `json:"key"`
		Value   string `json:"value,omitempty"` // the claim: present with it; absent if omitted
		Proof   string `json:"proof"`
		Refused string `json:"refused,omitempty"` // malicious.json: by "parse" or by "verify"
	}
)

// values returns the map of the keys of the given names, k1: v1 and so on.
func values(names ...string) map[Hash]Hash {
	m := map[Hash]Hash{}
	for _, name := range names {
		m[named(name)] = named("v" + name[1:])
	}
	return m
}

func pairOfDepth256() map[Hash]Hash {
	return map[Hash]Hash{numbered(0): named("v0"), numbered(1): named("v1")}
}

// The literals here were computed by a prototype and checked by an
// implementation in another language.
func TestFrozenVectors(t *testing.T) {
	three := values("k0", "k1", "k2")
	roots := []struct {
		m    map[Hash]Hash
		want string
	}{
		{nil, "0000000000000000000000000000000000000000000000000000000000000000"},
		{values("k0"), "a9d2720e0775c375a8a0b61e9db8ffcee6179b001e29450555d461c818c876b6"},
		{three, "cfde3a01faa6fa4af50473fab901201b9113f0d0b49667ab1fe818f8c52287f8"},
		{pairOfDepth256(), "9899780c08fada121b567a2f0d09fbc847cfab8a14c1a716afadfd4986a74c3e"},
	}
	for _, test := range roots {
		if got := Root(test.m); got != unhex(t, test.want) {
			t.Errorf("%d keys: root %x, want %s", len(test.m), got, test.want)
		}
	}
	bitmap := func(b byte) string { h := numbered(b); return hex.EncodeToString(h[:]) }
	proofs := []struct {
		m    map[Hash]Hash
		key  Hash
		want string
	}{
		{three, named("k1"), "01010002c09f3c584cedaa96367844382d66a5b8d38e6b52a3ad60a33fbc3761fa522aac04a9d2720e0775c375a8a0b61e9db8ffcee6179b001e29450555d461c818c876b6"},
		{three, named("k9"), "01020001d1a5ac9a015fac2ef7b341673635512a1511f41fe37d111b267f039eec5d4f580270da4daac514f30bece5788a87ad7b800f59476d0d7e6f70d4b61fbc4f5e9e80b40ef7cbba88d01285ccc2ba55389a051a9414d1c611ac739bc5d2ca510282d9"},
		{pairOfDepth256(), numbered(1), "01010100" + bitmap(1) + "56d7ed337af682463e27d02c8d41a2bff39b42da8e2cba037d5d174edb3e2cfa"},
		{pairOfDepth256(), numbered(2), "010000ff" + bitmap(2) + "5947ad2b139a72a24d27f95da1c315b3495276c195eb88a31d95acc48ff6fc80"},
	}
	for _, test := range proofs {
		if got := hex.EncodeToString(Prove(test.m, test.key).Marshal()); got != test.want {
			t.Errorf("%d keys, %x: proof %s, want %s", len(test.m), test.key, got, test.want)
		}
	}
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func hexHash(h Hash) string { return hexOf(h[:]) }

func goodVectors() goodFile {
	var f goodFile
	purl, record := []byte("pkg:npm/left-pad@1.3.0"), []byte(`{"v":1,"count":1,"last":2,"root":""}`)
	k, vh := Key(2, purl), ValueHash(2, record)
	add := func(function string, hash Hash, args ...[]byte) {
		v := hashVector{Function: function, Hash: hexHash(hash), Args: []string{}}
		for _, a := range args {
			v.Args = append(v.Args, hexOf(a))
		}
		f.Hashes = append(f.Hashes, v)
	}
	add("key", k, []byte{2}, purl)
	add("key", Key(7, nil), []byte{7}, nil)
	add("key", Key(4, bytes.Repeat([]byte("a"), 300)), []byte{4}, bytes.Repeat([]byte("a"), 300))
	add("vh", vh, []byte{2}, record)
	add("vh", ValueHash(1, nil), []byte{1}, nil)
	add("leaf", LeafHash(k, vh), k[:], vh[:])
	add("node", NodeHash(k, vh), k[:], vh[:])

	maps := []struct {
		name string
		m    map[Hash]Hash
		keys []Hash
	}{
		{"empty", nil, []Hash{named("k0")}},
		{"one key", values("k0"), []Hash{named("k0"), named("k1")}},
		{"three keys", values("k0", "k1", "k2"), []Hash{named("k1"), named("k9")}},
		{"two keys that share 255 bits", pairOfDepth256(), []Hash{numbered(1), numbered(2), numbered(0x80), named("k0")}},
		{"ten keys", values("k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"), []Hash{named("k3"), named("k7"), named("k11"), named("k12"), named("k13")}},
	}
	for _, m := range maps {
		pairs := map[string]string{}
		for k, v := range m.m {
			pairs[hexHash(k)] = hexHash(v)
		}
		root := hexHash(Root(m.m))
		f.Roots = append(f.Roots, rootVector{Name: m.name, Pairs: pairs, Root: root})
		for _, k := range m.keys {
			p := Prove(m.m, k)
			v := proofVector{Root: root, Key: hexHash(k), Proof: hexOf(p.Marshal())}
			switch p.Terminal {
			case TerminalKey:
				v.Name, v.Value = "present", hexHash(m.m[k])
			case TerminalOther:
				v.Name = "absent, another leaf in its place"
			case TerminalEmpty:
				v.Name = "absent, nothing in its place"
			}
			v.Name = fmt.Sprintf("%s: %s, depth %d", m.name, v.Name, len(p.Siblings))
			f.Proofs = append(f.Proofs, v)
		}
	}
	return f
}

// malicious returns encodings that MUST NOT verify, each of which breaks one
// rule and is good but for that.
func malicious() []proofVector {
	m := values("k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9")
	root, key := Root(m), named("k3")
	value, good := m[key], Prove(m, key)
	enc := good.Marshal()
	depth := len(good.Siblings)
	bitmapAt := 4
	deepest := bitmapAt + (depth+7)/8

	var out []proofVector
	add := func(name, by string, root, key Hash, vh *Hash, proof []byte) {
		v := proofVector{Name: name, Root: hexHash(root), Key: hexHash(key), Proof: hexOf(proof), Refused: by}
		if vh != nil {
			v.Value = hexHash(*vh)
		}
		out = append(out, v)
	}
	// patched is the proof that k3 is present, with the byte at i replaced.
	patched := func(i int, b byte) []byte {
		p := bytes.Clone(enc)
		p[i] = b
		return p
	}
	parse := func(name string, proof []byte) { add(name, "parse", root, key, &value, proof) }
	parse("nothing", nil)
	parse("half a header", enc[:3])
	parse("header only", enc[:4])
	parse("version 0", patched(0, 0))
	parse("version 2", patched(0, 2))
	parse("terminal 3", patched(1, 3))
	parse("terminal 2 without another leaf", patched(1, 2))
	parse("one byte short", enc[:len(enc)-1])
	parse("one byte long", append(bytes.Clone(enc), 0))
	parse("one sibling long", append(bytes.Clone(enc), value[:]...))
	parse("padding bit set", patched(bitmapAt+(depth+7)/8-1, enc[deepest-1]|1))
	parse("all-zero sibling", slices.Concat(enc[:deepest], make([]byte, 32), enc[deepest+32:]))
	parse("all-zero siblings of an empty map", append([]byte{1, 0, 0, 1, 0x80}, make([]byte, 32)...))
	parse("deepest sibling empty", append([]byte{1, 1, 0, byte(depth + 1)}, enc[4:]...))
	parse("no sibling at depth 1", []byte{1, 1, 0, 1, 0})
	parse("depth 257", slices.Concat([]byte{1, 1, 1, 1}, make([]byte, 32), []byte{0x80}, value[:]))
	parse("depth 65535", slices.Concat([]byte{1, 1, 255, 255}, bytes.Repeat([]byte{255}, 8192), enc[deepest:]))

	verify := func(name string, root, key Hash, vh *Hash, p Proof) { add(name, "verify", root, key, vh, p.Marshal()) }
	wrong := named("wrong")
	verify("another value", root, key, &wrong, good)
	verify("another root", wrong, key, &value, good)
	verify("another key", root, named("k4"), &value, good)
	verify("present, said to be absent", root, key, nil, good)
	far := named("k11")
	absent := Prove(m, far)
	verify("absent, said to be present", root, far, &value, absent)
	verify("absent, said to be present with the other leaf's value", root, far, &absent.OtherValue, absent)
	backwards := good
	backwards.Siblings = slices.Clone(good.Siblings)
	slices.Reverse(backwards.Siblings)
	verify("shallowest sibling first", root, key, &value, backwards)
	cut := good
	cut.Siblings = good.Siblings[:depth-1]
	verify("one level short", root, key, &value, cut)
	verify("empty where the key is", root, key, nil, Proof{Siblings: good.Siblings})
	verify("the other key is this key", root, key, nil, Proof{Terminal: TerminalOther, Siblings: good.Siblings, OtherKey: key, OtherValue: value})
	verify("the other key is not on the path", root, named("k4"), nil, Proof{Terminal: TerminalOther, Siblings: good.Siblings, OtherKey: key, OtherValue: value})

	// Another half of the map, or of the tree over it, taken for a leaf.
	k0 := bytes.Compare(key[:], bytes.Repeat([]byte{0x80}, 32)) // which half the key is in
	top := good.Siblings[0]
	own := rootBelow(good, key, value)
	left, right := own, top
	if k0 >= 0 {
		left, right = top, own
	}
	verify("a node taken for another leaf", root, left, nil, Proof{Terminal: TerminalOther, OtherKey: left, OtherValue: right})
	verify("a node taken for the key's leaf", root, left, &right, Proof{Terminal: TerminalKey})
	verify("an RFC 6962 node taken for the root", pair("\x01", left, right), key, &value, good)
	verify("an RFC 6962 leaf taken for the key's leaf", pair("\x00", key, value), key, &value, Proof{Terminal: TerminalKey})
	verify("the root of the empty map", Hash{}, key, &value, Proof{Terminal: TerminalKey})
	return out
}

// rootBelow returns the hash of the half of the map that holds key.
func rootBelow(p Proof, key, vh Hash) Hash {
	h := LeafHash(key, vh)
	for i := len(p.Siblings) - 1; i > 0; i-- {
		if bit(&key, i) == 0 {
			h = NodeHash(h, p.Siblings[i])
		} else {
			h = NodeHash(p.Siblings[i], h)
		}
	}
	return h
}

// The files are what the code above makes, byte for byte; a change of either
// is a change of the format.
func TestVectorFiles(t *testing.T) {
	for name, v := range map[string]any{"good.json": goodVectors(), "malicious.json": malicious()} {
		want, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from what the code makes", file)
		}
	}
}

// As another implementation would use them.
func TestGoodVectors(t *testing.T) {
	var f goodFile
	readVectors(t, "good.json", &f)
	for _, v := range f.Hashes {
		var args [][]byte
		for _, a := range v.Args {
			args = append(args, unhexBytes(t, a))
		}
		var got Hash
		switch v.Function {
		case "key":
			got = Key(args[0][0], args[1])
		case "vh":
			got = ValueHash(args[0][0], args[1])
		case "leaf":
			got = LeafHash(Hash(args[0]), Hash(args[1]))
		case "node":
			got = NodeHash(Hash(args[0]), Hash(args[1]))
		}
		if got != unhex(t, v.Hash) {
			t.Errorf("%s(%s) = %x, want %s", v.Function, strings.Join(v.Args, ", "), got, v.Hash)
		}
	}
	for _, v := range f.Roots {
		m := map[Hash]Hash{}
		for k, vh := range v.Pairs {
			m[unhex(t, k)] = unhex(t, vh)
		}
		if got := Root(m); got != unhex(t, v.Root) {
			t.Errorf("%s: root %x, want %s", v.Name, got, v.Root)
		}
	}
	for _, v := range f.Proofs {
		if parse, verify := v.decide(t); parse != nil || verify != nil {
			t.Errorf("%s: %v, %v", v.Name, parse, verify)
		}
	}
}

func TestMaliciousVectors(t *testing.T) {
	var vectors []proofVector
	readVectors(t, "malicious.json", &vectors)
	if len(vectors) < 30 {
		t.Errorf("%d vectors", len(vectors))
	}
	for _, v := range vectors {
		parse, verify := v.decide(t)
		switch {
		case v.Refused == "parse" && !errors.Is(parse, ErrMalformed):
			t.Errorf("%s: parsed: %v", v.Name, parse)
		case v.Refused == "verify" && parse != nil:
			t.Errorf("%s: refused too early: %v", v.Name, parse)
		case v.Refused == "verify" && !errors.Is(verify, ErrNotProven) && !errors.Is(verify, ErrMalformed):
			t.Errorf("%s: verified: %v", v.Name, verify)
		}
	}
}

// decide parses and verifies the claim of v.
func (v proofVector) decide(t *testing.T) (parse, verify error) {
	t.Helper()
	p, err := ParseProof(unhexBytes(t, v.Proof))
	if err != nil {
		return err, nil
	}
	if v.Value == "" {
		return nil, p.VerifyAbsent(unhex(t, v.Root), unhex(t, v.Key))
	}
	return nil, p.VerifyPresent(unhex(t, v.Root), unhex(t, v.Key), unhex(t, v.Value))
}

func readVectors(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func unhexBytes(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
