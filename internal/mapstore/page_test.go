package mapstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
)

// An address leads from what is stored of a leaf to the key of its record, of which
// pageRecords share one.
func TestAddress(t *testing.T) {
	key := Hash{0xff, 0xff, 0xff}
	for _, test := range []struct {
		at   address
		want []byte
		tail []byte // of what is stored of the leaf
	}{
		{alone(7), recordKey(7, key), nil},
		{paged(7, 0), pageKey(7, 1), []byte{0, 0, 1}},
		{paged(7, 15), pageKey(7, 1), []byte{0, 0, 1}},
		{paged(7, 16), pageKey(7, 2), []byte{0, 0, 2}},
		{paged(1<<44-1, 300*16), pageKey(1<<44-1, 301), []byte{0, 1, 45}},
		{paged(7, (1<<20-2)*16), pageKey(7, 1<<20-1), []byte{15, 255, 255}},
		{paged(7, (1<<20-1)*16), recordKey(7, key), nil},
	} {
		if got := test.at.key(&key); !bytes.Equal(got, test.want) {
			t.Errorf("%x leads to %x, want %x", test.at, got, test.want)
		}
		vh := Hash{1, 2, 3}
		value := test.at.leafValue(&vh)
		if want := append(vh[:], test.tail...); !bytes.Equal(value, want) {
			t.Errorf("%x is stored as %x, want %x", test.at, value, want)
		}
		if got, at, ok := parseLeafValue(value, test.at.version()); got != vh || at != test.at || !ok {
			t.Errorf("%x is read as %x, %t", test.at, at, ok)
		}
	}
	hash := make([]byte, 32)
	for name, value := range map[string][]byte{
		"short": hash[1:], "long": append(hash, 0, 0, 0, 1), "between": append(hash, 1),
		"page 0": append(hash, 0, 0, 0), "page too large": append(hash, 16, 0, 0),
	} {
		if _, _, ok := parseLeafValue(value, 7); ok {
			t.Errorf("%s: read", name)
		}
	}
	if _, _, ok := parseLeafValue(hash, 1<<44); ok {
		t.Error("version too large: read")
	}
}

// The records of new keys are in pages, all of them and no other, of
// pageRecords each, however much their keys have in common; those of the rest are alone.
func TestPages(t *testing.T) {
	for _, n := range []int{1, 16, 17, 500, 5000} {
		tr := newTrie(t)
		tr.put([]Hash{{0}, {0x80}})
		keys := []Hash{{0}, {0x80}}
		for i := range n {
			k := Hash(bytes.Repeat(binary.BigEndian.AppendUint32(nil, uint32(i+1)*0x9e3779b1), 8))
			if i%2 == 1 {
				clear(k[1:20])
			}
			keys = append(keys, k)
		}
		out := tr.put(keys)
		records, pages, lone := 0, 0, 0
		for _, w := range out.writes {
			switch w.Key[1] {
			case kindRecord:
				lone++
			case kindPage:
				pages++
				var last Hash
				if err := scanPage(w.Value, func(key *Hash, record []byte) bool {
					records++
					if bytes.Compare(last[:], key[:]) >= 0 || len(record) == 0 {
						t.Errorf("%x is after %x", key, last)
					}
					last = *key
					return true
				}); err != nil {
					t.Error(err)
				}
			}
		}
		if records != n || lone != 2 || pages != (n+pageRecords-1)/pageRecords {
			t.Errorf("%d records in %d pages, and %d alone, want %d and 2", records, pages, lone, n)
		}
		tr.check(tr.latest, keys)
	}
}

func FuzzScanPage(f *testing.F) {
	var page []byte
	for i := range 3 {
		page = append(append(page, make([]byte, 35)...), byte(i))
		page = append(page, make([]byte, i)...)
	}
	f.Add(page)
	f.Add(page[:len(page)-1])
	f.Fuzz(func(t *testing.T, page []byte) {
		var again []byte
		err := scanPage(page, func(key *Hash, record []byte) bool {
			again = append(again, key[:]...)
			again = append(binary.BigEndian.AppendUint32(again, uint32(len(record))), record...)
			return true
		})
		if whole := bytes.Equal(again, page); whole != (err == nil) || !bytes.HasPrefix(page, again) {
			t.Fatalf("error %v, and of %x was read %x", err, page, again)
		}
		var first []string
		_ = scanPage(page, func(key *Hash, record []byte) bool {
			first = append(first, fmt.Sprintf("%x %x", key, record))
			return false
		})
		if len(first) > 1 {
			t.Fatalf("went on: %v", first)
		}
	})
}
