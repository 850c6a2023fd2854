package mapfn

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/treehash"
)

// Place is where the map keeps the event list of a component, a package or a
// digest: a key of namespace 2, 3 or 4.
type Place struct {
	NS   NS
	Data string
}

// Places returns the event lists that an attestation's issue event goes to, in
// order of namespace and data, each once (SPEC.md, "Event lists").
func Places(subjects []entry.Subject) []Place {
	var out []Place
	for _, sub := range subjects {
		out = append(out, Place{NSPackage, sub.Purl.Package()})
		if sub.Purl.HasVersion() {
			out = append(out, Place{NSComponent, sub.Purl.Component()}, Place{NSDigest, sub.Algorithm + ":" + sub.Digest})
		}
	}
	slices.SortFunc(out, func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.NS, b.NS), cmp.Compare(a.Data, b.Data))
	})
	return slices.Compact(out)
}

// PlaceOf returns the place with this data, which is a purl with version, or
// without, or a digest: it tells its namespace. A purl of more than that is the
// data of no place.
func PlaceOf(data string) (Place, bool) {
	if p, err := purl.Parse(data); err == nil {
		if p.HasVersion() {
			return Place{NSComponent, data}, p.Component() == data
		}
		return Place{NSPackage, data}, p.Package() == data
	}
	algorithm, digest, _ := strings.Cut(data, ":")
	return Place{NSDigest, data}, entry.ValidDigest(algorithm, digest)
}

// ParseEvents parses the whole event list that r commits to, one encoding after
// the other. It fails unless it is that list.
func (r ListRecord) ParseEvents(list []byte) ([]Event, error) {
	if n := uint64(len(list)) / EventSize; n == 0 || len(list)%EventSize != 0 || n != r.Count {
		return nil, fmt.Errorf("%w: %d bytes are not the list of its %d events", ErrRecord, len(list), r.Count)
	}
	events, leaves := make([]Event, 0, r.Count), make([]Hash, 0, r.Count)
	for raw := range slices.Chunk(list, EventSize) {
		e, err := ParseEvent(raw)
		if err != nil {
			return nil, err
		}
		events, leaves = append(events, e), append(leaves, treehash.Leaf(raw))
	}
	peaks, err := treehash.Append(0, nil, leaves...)
	if err != nil {
		return nil, err
	}
	root, err := treehash.RootOf(r.Count, peaks)
	if err != nil {
		return nil, err
	}
	if root != Hash(r.Root) || events[len(events)-1].Index != r.Last {
		return nil, fmt.Errorf("%w: the events are not the list of its root and last index", ErrRecord)
	}
	return events, nil
}
