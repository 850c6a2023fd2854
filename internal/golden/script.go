package main

import (
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// What a leaf is.
const (
	isEffective = "effective"
	isIgnored   = "ignored"
	isSeal      = "seal"       // a live one, right in every line
	isStray     = "stray"      // begins as a seal does, and is none
	isFalse     = "false-seal" // a live seal with a wrong line: readers refuse the log
	isStop      = "stop"       // under a map function that is not known: readers stop
)

// script is one log.
type script struct {
	path  string
	about string
	steps []step
}

// step is one leaf.
type step struct {
	name string // unique in its log
	why  string
	make func(*book) []byte

	is   string
	code reason.Code // iff ignored
	line int         // iff a false seal: the wrong line, 0 for two seals in a row
}

// effect is an entry that has effect.
func effect(name, why string, make func(*book) *entry.Entry) step {
	return step{name: name, why: why, make: leafOf(name, make), is: isEffective}
}

// ignored is an entry that is ignored for code.
func ignored(name string, code reason.Code, why string, make func(*book) *entry.Entry) step {
	return step{name: name, why: why, make: leafOf(name, make), is: isIgnored, code: code}
}

// leafOf also keeps the entry under the step's name.
func leafOf(name string, make func(*book) *entry.Entry) func(*book) []byte {
	return func(b *book) []byte {
		e := make(b)
		b.entries[name] = e
		return e.Leaf
	}
}

// raw is a leaf, perhaps no entry at all, that is ignored for code, or has
// effect if that is empty.
func raw(name string, code reason.Code, why string, make func(*book) []byte) step {
	if code == "" {
		return step{name: name, why: why, make: make, is: isEffective}
	}
	return step{name: name, why: why, make: make, is: isIgnored, code: code}
}

// again logs an earlier step's leaf once more.
func again(name string, code reason.Code, why string) step {
	return raw(name+", again", code, why, func(b *book) []byte { return b.leaves[b.at(name)] })
}

// sealed is the seal that is due.
func sealed(name string) step {
	return step{name: name, why: "the state so far", make: func(b *book) []byte { return b.seal(nil) }, is: isSeal}
}

func stray(name, why string, make func(*book) []byte) step {
	return step{name: name, why: why, make: make, is: isStray}
}

// falseSeal is the seal that is due, spoilt in one line.
func falseSeal(line int, why string, spoil spoil) step {
	return step{name: "false seal", why: why, make: func(b *book) []byte { return b.seal(spoil) }, is: isFalse, line: line}
}
