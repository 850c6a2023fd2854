package main

import (
	"fmt"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
)

// smallScripts are the logs beside the golden one.
func smallScripts() []script {
	out := []script{noLog(), entryUnderFunction2()}
	for _, f := range []struct {
		name  string
		line  int
		why   string
		spoil spoil
	}{
		{"line-4-none", 4, "it names no previous seal", func(_ *book, s *seal.Seal) { s.Prev = nil }},
		{"line-4-older", 4, "it names the seal before the last one", func(b *book, s *seal.Seal) { s.Prev = ptr(b.at("first seal")) }},
		{"line-4-entry", 4, "it names a leaf that is no seal", func(b *book, s *seal.Seal) { s.Prev = ptr(b.at("end")) }},
		{"line-5", 5, "map function 2 is not in force", func(_ *book, s *seal.Seal) { s.MapFn = 2 }},
		{"line-6", 6, "it is dated before the last seal", func(b *book, s *seal.Seal) { s.SealedAt = b.last.SealedAt - 1 }},
		{"line-7", 7, "a map key too many", func(_ *book, s *seal.Seal) { s.Keys++ }},
		{"line-8", 8, "the map as it was at the last seal: a withdrawal is hidden", func(b *book, s *seal.Seal) { s.MapRoot = b.last.MapRoot }},
		{"line-9", 9, "a withdrawal too few", func(_ *book, s *seal.Seal) { s.Withdrawals-- }},
		{"line-10", 10, "the withdrawal list as it was at the last seal", func(b *book, s *seal.Seal) { s.WithdrawalRoot = b.last.WithdrawalRoot }},
	} {
		out = append(out, script{"false-seal/" + f.name + ".jsonl", "A log whose last seal is live and false: readers refuse it, and name the line.",
			append(smallLog(), falseSeal(f.line, f.why, f.spoil))})
	}
	return append(out, script{"false-seal/two-in-a-row.jsonl", "A log with two live seals in a row: readers refuse the second, each line of which is right.",
		append(smallLog(), sealed("last seal"), falseSeal(0, "the leaf before it is a live seal", func(*book, *seal.Seal) {}))})
}

// smallLog ends where a seal is due.
func smallLog() []step {
	return []step{
		effect("charter", "founds the log", func(b *book) *entry.Entry { return b.charter(b.root, nil, keys(b.root), keys(b.registrar), nil) }),
		sealed("first seal"),
		effect("enrol", "a party", func(b *book) *entry.Entry { return b.other.Enrol(origin, b.registrar) }),
		sealed("second seal"),
		effect("end", "a withdrawal", func(b *book) *entry.Entry { return testlog.EndParty(origin, b.other.ID, b.registrar) }),
	}
}

// noLog does not begin with a charter.
func noLog() script {
	charter := func(after *uint64) func(*book) *entry.Entry {
		return func(b *book) *entry.Entry { return b.charter(b.root, after, keys(b.root), keys(b.registrar), nil) }
	}
	s := script{"no-log.jsonl", "Leaf 0 is not a charter without after: there is no log, and every leaf after it is ignored.", []step{
		ignored("an amendment", reason.NoLog, "a charter with after founds no log", charter(ptr(uint64(0)))),
		ignored("a charter, late", reason.NoLog, "nor does any charter after leaf 0", charter(nil)),
		ignored("an amendment, late", reason.NoLog, "nor is there anything to amend", charter(ptr(uint64(1)))),
		ignored("a party", reason.KeyUnknown, "nobody is enrolled", func(b *book) *entry.Entry { return b.other.Enrol(origin, b.registrar) }),
		sealed("a seal"),
	}}
	s.about = fmt.Sprint(s.about, " Line 5 of a seal is 1 then, and the map is empty.")
	return s
}

// entryUnderFunction2 is for readers who look at seals apart from entries.
func entryUnderFunction2() script {
	amend := effect("map function 2", "in force for the leaves after it", func(b *book) *entry.Entry {
		return b.charter(b.root, ptr(uint64(0)), keys(b.root), keys(b.registrar), func(c *entry.Charter) { c.MapFn = 2 })
	})
	leaf := func(b *book) *entry.Entry { return b.late.Enrol(origin, b.registrar) }
	return script{"function-2.jsonl", "An entry directly after the charter that puts map function 2 in force.", append(smallLog(), amend, step{
		name: "entry under function 2", why: "under function 1 it would have effect; who does not know function 2 neither applies nor ignores it",
		make: leafOf("entry under function 2", leaf), is: isStop,
	})}
}
