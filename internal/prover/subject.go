package prover

import (
	"encoding/hex"
	"strings"

	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/reason"
)

// resolve returns the ids of the attestations about a subject, at most
// MaxFound of them, the newest, and how many there are.
func (s *State) resolve(subject string) ([]Hash, uint64, error) {
	if h, ok := strings.CutPrefix(subject, "att:"); ok {
		id, err := ParseHash(h)
		if err != nil {
			return nil, 0, err
		}
		b, err := s.Map.Record(mapfn.NSAttestation, id[:])
		if b == nil || err != nil {
			return nil, 0, err
		}
		return []Hash{id}, 1, nil
	}
	at, err := place(subject)
	if err != nil {
		return nil, 0, err
	}
	ns, data := at.NS, at.Data
	b, err := s.Map.Record(ns, []byte(data))
	if b == nil || err != nil {
		return nil, 0, err
	}
	l, err := mapfn.ParseList(b)
	if err != nil {
		return nil, 0, err
	}
	first := l.Count - min(l.Count, MaxFound)
	events, err := s.Map.Events(ns, []byte(data), first, l.Count-first)
	if err != nil {
		return nil, 0, err
	}
	ids := make([]Hash, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	return ids, l.Count, nil
}

// place returns the event list of a purl or digest.
func place(subject string) (mapfn.Place, error) {
	data := subject
	if strings.HasPrefix(subject, "pkg:") {
		p, err := purl.Parse(subject)
		if err != nil {
			return mapfn.Place{}, reason.Errorf(reason.Purl, "%v", err)
		}
		data = p.Component()
	}
	at, ok := mapfn.PlaceOf(data)
	if !ok {
		return mapfn.Place{}, reason.Errorf(reason.SubjectUnknown, "%.120q", subject)
	}
	return at, nil
}

// ParseHash parses 64 lower-case hex digits.
func ParseHash(s string) (Hash, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 32 || hex.EncodeToString(b) != s {
		return Hash{}, reason.Errorf(reason.SubjectUnknown, "%.80q is not 64 lower-case hex digits", s)
	}
	return Hash(b), nil
}
