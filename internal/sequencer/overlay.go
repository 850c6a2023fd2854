package sequencer

import (
	"bytes"
	"slices"

	"github.com/standing-log/standing/internal/backend"
)

// overlay is a view with the side writes of a batch on top, sorted by key, each
// key once.
type overlay struct {
	backend.View
	writes []backend.Write
}

func (o *overlay) Read(key []byte, fn func(value []byte) error) error {
	if i, ok := o.find(key); ok {
		return fn(o.writes[i].Value)
	}
	return o.View.Read(key, fn)
}

// find returns where key is among the writes, or would be.
func (o *overlay) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(o.writes, key, func(w backend.Write, k []byte) int { return bytes.Compare(w.Key, k) })
}

func (o *overlay) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	first, _ := o.find(from)
	above := o.writes[first:]
	// before hands out the writes below key, all if it is nil, and reports
	// whether fn wants to go on.
	before := func(key []byte) bool {
		for len(above) > 0 && (key == nil || bytes.Compare(above[0].Key, key) < 0) {
			w := above[0]
			if len(to) > 0 && bytes.Compare(w.Key, to) >= 0 {
				break
			}
			above = above[1:]
			if w.Value != nil && !fn(w.Key, w.Value) {
				return false
			}
		}
		return true
	}
	on := true
	err := o.View.Scan(from, to, func(key, value []byte) bool {
		if on = before(key); !on {
			return false
		}
		if len(above) > 0 && bytes.Equal(above[0].Key, key) {
			value, above = above[0].Value, above[1:]
		}
		on = value == nil || fn(key, value)
		return on
	})
	if err == nil && on {
		before(nil)
	}
	return err
}
