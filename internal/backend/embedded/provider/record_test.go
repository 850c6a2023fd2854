package provider

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/trillian"
)

func testLeaf(index int64, identity, value, extra string) *trillian.LogLeaf {
	return &trillian.LogLeaf{
		LeafIndex:        index,
		MerkleLeafHash:   bytes.Repeat([]byte{byte(index)}, hashLen),
		LeafIdentityHash: []byte(identity),
		LeafValue:        []byte(value),
		ExtraData:        []byte(extra),
	}
}

// FuzzRecord parses, formats and parses again.
func FuzzRecord(f *testing.F) {
	now := time.Unix(1795000000, 123)
	good := appendRecord(nil, testLeaf(7, "id", "value", "extra"), now, time.Unix(0, 0))
	f.Add(good)
	f.Add(appendRecord(nil, testLeaf(7, "id", "", ""), now, now))
	f.Add(good[:len(good)-9])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		given := bytes.Clone(b)
		l, err := parseRecord(b, 7)
		if !bytes.Equal(b, given) {
			t.Fatal("the input has changed")
		}
		if err != nil {
			return
		}
		if err := checkLeaf(l); err != nil {
			t.Fatalf("parsed leaf: %v", err)
		}
		again := appendRecord(nil, l, l.QueueTimestamp.AsTime(), l.IntegrateTimestamp.AsTime())
		if !bytes.Equal(again, b) || recordLen(l) != len(b) {
			t.Fatalf("parsed %x, formatted %x", b, again)
		}
	})
}

func TestCheckLeaf(t *testing.T) {
	for name, change := range map[string]func(*trillian.LogLeaf){
		"index":         func(l *trillian.LogLeaf) { l.LeafIndex = -1 },
		"no hash":       func(l *trillian.LogLeaf) { l.MerkleLeafHash = nil },
		"long hash":     func(l *trillian.LogLeaf) { l.MerkleLeafHash = make([]byte, 33) },
		"no identity":   func(l *trillian.LogLeaf) { l.LeafIdentityHash = nil },
		"long identity": func(l *trillian.LogLeaf) { l.LeafIdentityHash = make([]byte, 256) },
	} {
		l := testLeaf(1, "id", "value", "")
		if err := checkLeaf(l); err != nil {
			t.Fatal(err)
		}
		change(l)
		if checkLeaf(l) == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if checkLeaf(nil) == nil {
		t.Error("nil leaf: no error")
	}
}

func TestAfter(t *testing.T) {
	for _, c := range []struct{ p, want string }{
		{"a", "b"}, {"a\xff", "b"}, {"a\x00\xff\xff", "a\x01"}, {"\xff", ""}, {"", ""},
	} {
		if got := after([]byte(c.p)); string(got) != c.want {
			t.Errorf("after %q is %q, want %q", c.p, got, c.want)
		}
	}
	if after([]byte{0xff}) != nil {
		t.Error("something is above all ones")
	}
}

func TestPlace(t *testing.T) {
	for _, p := range []place{{spaceLeaf, 0}, {spaceQueue, 1 << 60}} {
		if got, err := parsePlace(p.bytes()); err != nil || got != p {
			t.Errorf("place %v read as %v, %v", p, got, err)
		}
	}
	for _, b := range []string{"", "L", "X12345678", "L123456789"} {
		if _, err := parsePlace([]byte(b)); err == nil {
			t.Errorf("place %q: no error", b)
		}
	}
}
