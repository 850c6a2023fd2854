package mapfn

import (
	"fmt"
	"slices"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// found applies the charter at index 0.
func (s *step) found() error {
	c := s.e.Charter
	// SPEC: signed by a root key: at index 0 one that it names.
	if !slices.Contains(keyIDs(c.Roots), Hex(s.e.KeyID)) {
		return ignore(reason.KeyUnknown, "the first charter is not signed by a root key that it names")
	}
	// SPEC: mapfn is 1 at index 0.
	if c.MapFn != Version {
		return ignore(reason.MapFunction, "a log begins with map function 1, not %d", c.MapFn)
	}
	return s.charter(&LogRecord{})
}

// amendCharter applies a later charter.
func (s *step) amendCharter(key *KeyRecord) error {
	if err := s.activeKey(key, RoleRoot); err != nil {
		return err
	}
	// SPEC: an amendment's after = ns 7's last.
	if after := s.e.Charter.After; after == nil || *after != s.log.Last {
		return ignore(reason.AfterStale, "the charter was last changed at index %d", s.log.Last)
	}
	// SPEC: later the fn in force or one more, which is in force from the
	// next leaf on.
	if fn := s.e.Charter.MapFn; fn != s.log.Fn && fn != s.log.Fn+1 {
		return ignore(reason.MapFunction, "map function %d does not follow %d", fn, s.log.Fn)
	}
	return s.charter(s.log)
}

// charter writes the charter over the present record, which is zero at first.
func (s *step) charter(log *LogRecord) error {
	c := s.e.Charter
	next := LogRecord{
		V: 1, Fn: c.MapFn, Admission: c.Admission, Issuance: c.Issuance, Leaf: Hex(s.e.LeafHash), Last: s.index,
		Registrars: keyIDs(c.Registrars), Roots: keyIDs(c.Roots), Successor: c.Successor,
	}
	put(s, NSLog, nil, next)
	if err := s.charterKeys(RoleRegistrar, log.Registrars, next.Registrars); err != nil {
		return err
	}
	return s.charterKeys(RoleRoot, log.Roots, next.Roots)
}

// charterKeys writes the records of the keys of a role that come and go.
func (s *step) charterKeys(role string, before, after []Hex) error {
	for _, id := range after {
		if slices.Contains(before, id) {
			continue
		}
		// SPEC: each key named is either in the present record in the same
		// role, or has no ns 5 record.
		k, err := s.keyRecord(Hash(id))
		if err != nil {
			return err
		}
		if k != nil {
			return ignore(reason.CharterKeys, "key %x is known to this log since index %d", id, k.First)
		}
		s.newKey(Hash(id), role, nil)
	}
	for _, id := range before {
		if slices.Contains(after, id) {
			continue
		}
		k, err := s.keyRecord(Hash(id))
		if err != nil {
			return err
		}
		if k == nil {
			return fmt.Errorf("%w: %s key %x is not in the map", ErrRecord, role, id)
		}
		s.retire(Hash(id), *k)
	}
	return nil
}

func keyIDs(keys []entry.PublicKey) []Hex {
	ids := make([]Hex, len(keys))
	for i, k := range keys {
		ids[i] = Hex(k.ID())
	}
	return ids
}
