package main

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/standing-log/standing/internal/altreader"
)

// TestSecondReader reads every log with the second implementation: the same
// outcome and map root at each leaf.
func TestSecondReader(t *testing.T) {
	for _, s := range append([]script{mainScript()}, smallScripts()...) {
		t.Run(s.path, func(t *testing.T) {
			b, l := played(t, s), altreader.New(origin)
			for i, leaf := range b.leaves {
				out, err := l.Add(leaf)
				want := b.lines[i]
				if got := secondly(out, err); got.is != want.Is || want.Line != nil && got.line != *want.Line {
					t.Fatalf("%s is %+v (%v), not %s", want.Name, got, err, want.Is)
				}
				if root := l.Root(); err == nil && hex.EncodeToString(root[:]) != want.Root {
					t.Fatalf("%s: map root %x, want %s", want.Name, root, want.Root)
				}
			}
		})
	}
}

// secondly is outcome, of the second implementation.
func secondly(out altreader.Outcome, err error) result {
	var f *altreader.SealError
	var fn *altreader.FunctionError
	switch {
	case errors.As(err, &f):
		return result{is: isFalse, line: f.Line}
	case errors.As(err, &fn):
		return result{is: isStop}
	case err != nil:
		return result{is: err.Error()}
	case out.Live:
		return result{is: isSeal}
	case out.Stray:
		return result{is: isStray}
	case out.Ignored:
		return result{is: isIgnored}
	}
	return result{is: isEffective}
}
