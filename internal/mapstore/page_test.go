package mapstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
)

// An address leads from what is stored of a leaf to the key of its record, of which
// pageRecords or so share one.
func TestAddress(t *testing.T) {
	key := Hash{0xff, 0xff, 0xff}
	for _, test := range []struct {
		at   address
		want []byte
		tail []byte // of what is stored of the leaf
	}{
		{alone(7), recordKey(7, key), nil},
		{paged(7, 1), pageKey(7, 0), []byte{0}},
		{paged(7, 16), pageKey(7, 0), []byte{0}},
		{paged(7, 17), pageKey(7, 0x8000), []byte{1}},
		{paged(7, 3000), pageKey(7, 0xff00), []byte{8}},
		{paged(7, 1<<30), pageKey(7, 0xffff), []byte{16}},
		{paged(1<<56-1, 33), pageKey(1<<56-1, 0xc000), []byte{2}},
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
	for n, value := range map[string][]byte{"short": make([]byte, 31), "long": make([]byte, 34), "split": append(make([]byte, 32), 17)} {
		if _, _, ok := parseLeafValue(value, 7); ok {
			t.Errorf("%s: read", n)
		}
	}
	if _, _, ok := parseLeafValue(make([]byte, 32), 1<<56); ok {
		t.Error("version too large: read")
	}
}

// The records of new keys are in pages, all of them and no other, of about
// pageRecords each; those of the rest are alone.
func TestPages(t *testing.T) {
	for _, n := range []int{1, 16, 17, 500, 5000} {
		tr := newTrie(t)
		tr.put([]Hash{{0}, {0x80}})
		keys := []Hash{{0}, {0x80}}
		for i := range n {
			keys = append(keys, Hash(bytes.Repeat(binary.BigEndian.AppendUint32(nil, uint32(i+1)*0x9e3779b1), 8)))
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
		if records != n || lone != 2 || pages > 1+n/8 || pages < n/pageRecords {
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
