package mapstore

import (
	"errors"
	"fmt"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/statusmap"
)

// Snapshot is the status map at one version. It is safe for concurrent use
// and usable until its View is closed, whatever is committed or pruned
// meanwhile. All methods fail with ErrCorrupt, or an error of the View.
type Snapshot struct {
	view  backend.View
	cache *Cache
	head  head
	meta  meta
	top   *tile

	// seen are the buckets that a Batch has read.
	seen map[path]bucket
}

// Open returns the latest version in view, which is 0, the empty map, in a
// store in which nothing was committed. The cache may be nil. The caller MUST
// compare Root, Keys and the withdrawal list with the seal of that version
// once, when it opens the store.
func Open(view backend.View, cache *Cache) (*Snapshot, error) {
	h, err := readHead(view)
	if err != nil {
		return nil, err
	}
	s, err := openAt(view, cache, h, h.version)
	if errors.Is(err, ErrNoVersion) {
		err = fmt.Errorf("%w: latest version %d is missing", ErrCorrupt, h.version)
	}
	return s, err
}

// OpenAt returns a version, or ErrNoVersion.
func OpenAt(view backend.View, cache *Cache, version uint64) (*Snapshot, error) {
	h, err := keptHead(view, version)
	if err != nil {
		return nil, err
	}
	return openAt(view, cache, h, version)
}

// Kept fails with ErrNoVersion if OpenAt would. It does not read the map.
func Kept(view backend.View, version uint64) error {
	if _, err := keptHead(view, version); err != nil || version == 0 {
		return err
	}
	_, err := readMeta(view, version)
	return err
}

// keptHead returns the head if the version is among those that are kept.
func keptHead(view backend.View, version uint64) (head, error) {
	h, err := readHead(view)
	if err == nil && (version < h.keep || version > h.version) {
		err = fmt.Errorf("%w: %d is not in [%d, %d]", ErrNoVersion, version, h.keep, h.version)
	}
	return h, err
}

func openAt(view backend.View, cache *Cache, h head, version uint64) (*Snapshot, error) {
	s := &Snapshot{view: view, cache: cache, head: h, top: new(tile)}
	if version == 0 {
		return s, nil
	}
	var err error
	if s.meta, err = readMeta(view, version); err != nil {
		return nil, err
	}
	if s.top, err = cache.get(view, s.meta); err != nil {
		return nil, err
	}
	return s, nil
}

// In returns the same version for reading and proving from another view, which
// has it.
func (s *Snapshot) In(view backend.View) *Snapshot {
	return &Snapshot{view: view, cache: s.cache, head: s.head, meta: s.meta, top: s.top}
}

func readHead(view backend.View) (head, error) {
	value, err := view.Get(headKey())
	if err != nil {
		return head{}, fmt.Errorf("reading head: %w", err)
	}
	if value != nil {
		return parseHead(value)
	}
	// Nothing was ever committed; or the head is lost, and to go on from an
	// empty map would be to seal a false one.
	empty := true
	err = view.Scan([]byte{prefix}, []byte{prefix + 1}, func(_, _ []byte) bool {
		empty = false
		return false
	})
	if err == nil && !empty {
		err = fmt.Errorf("%w: no head", ErrCorrupt)
	}
	return head{}, err
}

func readMeta(view backend.View, version uint64) (meta, error) {
	value, err := view.Get(versionKey(version))
	if err != nil {
		return meta{}, fmt.Errorf("reading version %d: %w", version, err)
	}
	if value == nil {
		return meta{}, fmt.Errorf("%w: %d is not the size of a sealed checkpoint", ErrNoVersion, version)
	}
	return parseMeta(version, value)
}

// Version returns the tree size of the sealed checkpoint.
func (s *Snapshot) Version() uint64 { return s.meta.version }

// Root returns the root of the map.
func (s *Snapshot) Root() Hash { return s.meta.root }

// Keys returns the number of keys of the map.
func (s *Snapshot) Keys() uint64 { return s.meta.keys }

// WithdrawalCount returns the length of the withdrawal list.
func (s *Snapshot) WithdrawalCount() uint64 { return s.meta.list.count }

// WithdrawalRoot returns the RFC 6962 root of the withdrawal list.
func (s *Snapshot) WithdrawalRoot() (Hash, error) {
	return s.meta.list.root()
}

// WithdrawalPeaks returns the hashes of the perfect subtrees of the withdrawal
// list, from left to right.
func (s *Snapshot) WithdrawalPeaks() []Hash { return append([]Hash(nil), s.meta.list.peaks...) }

// bucket reads the bucket at p and checks that its top is as given.
func (s *Snapshot) bucket(p path, top Hash) (bucket, error) {
	if b := s.seen[p]; b != nil {
		return b, nil
	}
	b, err := readLeaves(s.view, p, s.meta.version, bucketMax)
	if err == nil && (len(b) == 0 || b.top(4*p.n) != top) {
		err = fmt.Errorf("%w: its %d leaves hash to something else", ErrCorrupt, len(b))
	}
	if err != nil {
		return nil, fmt.Errorf("reading bucket %v of version %d: %w", p, s.meta.version, err)
	}
	return b, nil
}

// find follows key from the root and returns the leaf that stands at the end,
// which may be another key's, or nil. If siblings is not nil, it appends to it
// those on the way, from the root on.
func (s *Snapshot) find(key Hash, siblings *[]Hash) (*leaf, error) {
	for t, p := s.top, (path{}); ; {
		i, ok := t.descend(&key, p.n, siblings)
		if !ok {
			return nil, nil
		}
		next, top := t.slots[i], *t.node(16 + i)
		p = p.child(i)
		if next.below != nil {
			t = next.below
			continue
		}
		if next.leaves != nil {
			return next.leaves.find(&key, 4*p.n, siblings), nil
		}
		b, err := s.bucket(p, top)
		if err != nil {
			return nil, err
		}
		if s.seen != nil {
			s.seen[p] = b
		}
		return b.find(&key, 4*p.n, siblings), nil
	}
}

// stored is a record as it lies in the store.
type stored struct {
	record []byte // nil if there is none
	list   list   // its event list, if it has one
}

// lookup returns what the map holds at key, which is in namespace ns.
func (s *Snapshot) lookup(ns mapfn.NS, key Hash) (stored, error) {
	leaf, err := s.find(key, nil)
	if err != nil || leaf == nil || leaf.key != key {
		return stored{}, err
	}
	return s.read(ns, leaf)
}

// read returns the record of a leaf, which is in namespace ns.
func (s *Snapshot) read(ns mapfn.NS, leaf *leaf) (stored, error) {
	value, err := s.view.Get(recordKey(leaf.version, leaf.key))
	if err != nil {
		return stored{}, fmt.Errorf("reading record %x: %w", leaf.key, err)
	}
	if value == nil {
		return stored{}, fmt.Errorf("%w: record %x of version %d is missing", ErrCorrupt, leaf.key, leaf.version)
	}
	st, vh, err := parseStored(ns, value)
	if err == nil && statusmap.LeafHash(leaf.key, vh) != leaf.hash {
		err = errors.New("another value hash")
	}
	if err != nil {
		return stored{}, fmt.Errorf("%w: record %x of version %d: %v", ErrCorrupt, leaf.key, leaf.version, err)
	}
	return st, nil
}

// Record returns the record at (ns, data), or nil if the map has none.
func (s *Snapshot) Record(ns mapfn.NS, data []byte) ([]byte, error) {
	st, err := s.lookup(ns, statusmap.Key(byte(ns), data))
	return st.record, err
}

// Peaks returns the hashes of the perfect subtrees of the event list at (ns,
// data), from left to right. They have been checked against the root in the
// record. It is nil where there is no record or no list.
func (s *Snapshot) Peaks(ns mapfn.NS, data []byte) ([]Hash, error) {
	st, err := s.lookup(ns, statusmap.Key(byte(ns), data))
	return st.list.peaks, err
}

// Prove returns the record at (ns, data), nil if the map has none, and the
// proof of presence or of absence. Both have been verified.
func (s *Snapshot) Prove(ns mapfn.NS, data []byte) ([]byte, statusmap.Proof, error) {
	key := statusmap.Key(byte(ns), data)
	return s.prove(ns, key)
}

// prove returns the record at key, which is in namespace ns, and the proof.
func (s *Snapshot) prove(ns mapfn.NS, key Hash) ([]byte, statusmap.Proof, error) {
	p := statusmap.Proof{Siblings: make([]Hash, 0, 40)}
	leaf, err := s.find(key, &p.Siblings)
	if err != nil {
		return nil, statusmap.Proof{}, err
	}
	var st stored
	switch {
	case leaf == nil:
		p.Terminal = statusmap.TerminalEmpty
	case leaf.key == key:
		p.Terminal = statusmap.TerminalKey
		st, err = s.read(ns, leaf)
	default:
		p.Terminal, p.OtherKey = statusmap.TerminalOther, leaf.key
		p.OtherValue, err = s.valueHash(leaf)
	}
	if err != nil {
		return nil, statusmap.Proof{}, err
	}
	if p.Terminal == statusmap.TerminalKey {
		err = p.VerifyPresent(s.meta.root, key, statusmap.ValueHash(byte(ns), st.record))
	} else {
		err = p.VerifyAbsent(s.meta.root, key)
	}
	if err != nil {
		// The buckets were right when they were read: so this is our memory,
		// or a defect. Either way the proof does not leave.
		return nil, statusmap.Proof{}, fmt.Errorf("%w: proof about %x: %v", ErrCorrupt, key, err)
	}
	return st.record, p, nil
}

// valueHash reads the value hash of a leaf.
func (s *Snapshot) valueHash(leaf *leaf) (Hash, error) {
	value, err := s.view.Get(leafKey(leaf.key, leaf.version))
	if err != nil {
		return Hash{}, fmt.Errorf("reading leaf %x: %w", leaf.key, err)
	}
	if len(value) != len(Hash{}) || statusmap.LeafHash(leaf.key, Hash(value)) != leaf.hash {
		return Hash{}, fmt.Errorf("%w: leaf %x of version %d", ErrCorrupt, leaf.key, leaf.version)
	}
	return Hash(value), nil
}

// Events returns up to n events of the list at (ns, data), from first on, as
// far as the list goes at this version. If they are the whole list, they have
// been checked against its root; a part can be checked by nobody alone.
func (s *Snapshot) Events(ns mapfn.NS, data []byte, first, n uint64) ([]mapfn.Event, error) {
	key := statusmap.Key(byte(ns), data)
	st, err := s.lookup(ns, key)
	if err != nil {
		return nil, err
	}
	return s.events(key, st.list, first, n)
}

func (s *Snapshot) events(key Hash, l list, first, n uint64) ([]mapfn.Event, error) {
	raw, err := s.scan(eventKey(key, first), first, n, l)
	if err != nil {
		return nil, fmt.Errorf("events of %x: %w", key, err)
	}
	out := make([]mapfn.Event, len(raw))
	for i := range raw {
		if out[i], err = mapfn.ParseEvent(raw[i]); err != nil {
			return nil, fmt.Errorf("%w: event %d of %x: %v", ErrCorrupt, first+uint64(i), key, err)
		}
	}
	return out, nil
}
