package mapstore

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/mapfn"
)

// withdrawn returns a store whose withdrawal list grew to each of sizes in a
// commit of its own, at version 1, 2 and so on, and the hashes of the list as
// x/mod has them.
func withdrawn(t *testing.T, sizes ...int) (*store, []mapfn.Withdrawal, tlog.HashReaderFunc) {
	t.Helper()
	s := newStore(t)
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = hashes[x]
		}
		return out, nil
	})
	var all []mapfn.Withdrawal
	for i, size := range sizes {
		b := s.batch()
		for n := len(all); n < size; n++ {
			w := mapfn.Withdrawal{Index: uint64(n) + 9, Kind: mapfn.WithdrawalRevoked, ID: Hash{byte(n), byte(n >> 8)}, From: uint64(n)}
			all = append(all, w)
			more, err := tlog.StoredHashes(int64(n), w.Append(nil), reader)
			if err != nil {
				t.Fatal(err)
			}
			hashes = append(hashes, more...)
			if err := b.Apply(mapfn.Writes{Withdrawals: []mapfn.Withdrawal{w}}); err != nil {
				t.Fatal(err)
			}
		}
		_, writes, err := b.Commit(uint64(i+1), 0)
		if err != nil {
			t.Fatal(err)
		}
		s.mem.apply(writes)
	}
	return s, all, reader
}

// Whatever batches the list came in, each version has the tiles of its length,
// and none beyond.
func TestWithdrawalHashes(t *testing.T) {
	sizes := []int{0, 1, 255, 256, 257, 511, 1024, 1300, 66_000}
	s, all, reader := withdrawn(t, sizes...)
	if got, want := s.mem.kinds()[kindNode], 66_000/256+66_000/65_536; got != want {
		t.Errorf("%d nodes are stored, want %d", got, want)
	}
	for i, size := range sizes {
		snap, err := OpenAt(s.mem, nil, uint64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		for level := uint(0); level < 32; level += 8 {
			complete := uint64(size) >> level
			for _, first := range []uint64{0, 1, complete / 256 * 256} {
				if first > complete {
					continue
				}
				n := min(256, complete-first)
				if err := compareHashes(snap, reader, level, first, n); err != nil {
					t.Errorf("%d records, height %d, [%d, %d): %v", size, level, first, first+n, err)
				}
			}
			for _, r := range [][2]uint64{{0, complete + 1}, {complete, 1}, {complete + 1, 1}, {1, 1<<64 - 1}} {
				if _, err := snap.WithdrawalHashes(level, r[0], r[1]); !errors.Is(err, backend.ErrOutOfRange) {
					t.Errorf("%d records, height %d: %d hashes from %d: %v", size, level, r[1], r[0], err)
				}
			}
		}
		if _, err := snap.WithdrawalHashes(4, 0, 1); !errors.Is(err, backend.ErrOutOfRange) {
			t.Errorf("height 4: %v", err)
		}
		if got, err := snap.Withdrawals(uint64(size)/2, 300); err != nil || !slices.Equal(got, all[size/2:min(size, size/2+300)]) {
			t.Errorf("%d of %d records, %v", len(got), size, err)
		}
	}
}

func compareHashes(snap *Snapshot, reader tlog.HashReader, level uint, first, n uint64) error {
	indexes := make([]int64, n)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(int(level), int64(first)+int64(i))
	}
	want, err := reader.ReadHashes(indexes)
	if err != nil {
		return err
	}
	got, err := snap.WithdrawalHashes(level, first, n)
	if err != nil {
		return err
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d hashes", len(got))
	}
	for i := range got {
		if got[i] != Hash(want[i]) {
			return fmt.Errorf("hash %d differs", i)
		}
	}
	return nil
}

// A record or a node that is not what was committed leads to no record and no
// hash at all, wherever the list is read; and Check finds it.
func TestWithdrawalCorruption(t *testing.T) {
	s, all, reader := withdrawn(t, 700)
	change := func(what string, f func(m memory)) {
		m := maps.Clone(s.mem)
		f(m)
		snap, err := Open(m, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := snap.Check(t.Context()); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: Check: %v", what, err)
		}
		found := 0
		for first := uint64(0); first < 700; first += 100 {
			got, err := snap.Withdrawals(first, 100)
			if errors.Is(err, ErrCorrupt) {
				found++
			} else if err != nil || !slices.Equal(got, all[first:first+100]) {
				t.Errorf("%s: records from %d on: %v", what, first, err)
			}
		}
		for level, n := range map[uint]uint64{0: 256, 8: 2} {
			if err := compareHashes(snap, reader, level, 0, n); errors.Is(err, ErrCorrupt) {
				found++
			} else if err != nil {
				t.Errorf("%s: height %d: %v", what, level, err)
			}
		}
		if found == 0 {
			t.Errorf("%s: not found", what)
		}
	}
	for _, key := range [][]byte{nodeKey(1, 0), nodeKey(1, 1), withdrawalKey(0), withdrawalKey(255), withdrawalKey(300), withdrawalKey(699)} {
		k := string(key)
		change(printable(k)+" flipped", func(m memory) { m[k] = []byte(flip(string(m[k]), 3, 3)) })
		change(printable(k)+" missing", func(m memory) { delete(m, k) })
		change(printable(k)+" longer", func(m memory) { m[k] = append(slices.Clone(m[k]), 0) })
		change(printable(k)+" empty", func(m memory) { m[k] = []byte{} })
	}
	swap := func(a, b string) func(memory) { return func(m memory) { m[a], m[b] = m[b], m[a] } }
	change("two nodes exchanged", swap(string(nodeKey(1, 0)), string(nodeKey(1, 1))))
	change("two records exchanged", swap(string(withdrawalKey(7)), string(withdrawalKey(8))))
}
