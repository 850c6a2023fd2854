package mapstore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

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
	value, err := backend.Get(view, headKey())
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
	value, err := backend.Get(view, versionKey(version))
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
func (s *Snapshot) bucket(p path, want Hash) (bucket, error) {
	if b := s.seen[p]; b != nil {
		return b, nil
	}
	b, err := readLeaves(s.view, p, s.meta.version, bucketMax)
	if err == nil && (len(b) == 0 || top(b, 4*p.n) != want) {
		err = fmt.Errorf("%w: its %d leaves hash to something else", ErrCorrupt, len(b))
	}
	if err != nil {
		return nil, fmt.Errorf("reading bucket %v of version %d: %w", p, s.meta.version, err)
	}
	return b, nil
}

// below reads the leaves below p, which is the path of a bucket or below one.
func (s *Snapshot) below(p path) (bucket, error) {
	t, at := s.top, path{}
	for {
		i := nibble(&p.bits, at.n)
		at = at.child(i)
		if below := t.slots[i].below; below != nil {
			t = below
			continue
		}
		if !t.isBucket(i) {
			return nil, nil
		}
		b, err := s.bucket(at, *t.node(16 + i))
		if err != nil || at == p {
			return b, err
		}
		return slices.DeleteFunc(slices.Clone(b), func(l leaf) bool { return !p.above(&l.key) }), nil
	}
}

// stored is a record as it lies in the store.
type stored struct {
	record []byte // nil if there is none
	list   list   // its event list, if it has one
	tail   []byte // the events of the list after its last row, one after the other
}

// site is a bucket on the way of a key.
type site struct {
	path path
	top  Hash
	held *held // nil: it is read
}

// walk follows key from the root to a bucket, or to nothing. If siblings is not nil,
// it appends to it those on the way.
func (s *Snapshot) walk(key *Hash, siblings *[]Hash) (site, bool) {
	for t, p := s.top, (path{}); ; {
		i, ok := t.descend(key, p.n, siblings)
		if !ok {
			return site{}, false
		}
		p = p.child(i)
		next := t.slots[i]
		if next.below == nil {
			return site{p, *t.node(16 + i), next.held}, true
		}
		t = next.below
	}
}

// lookup returns what is stored at key, which is in namespace ns, and its address,
// or 0 if there is nothing.
func (s *Snapshot) lookup(ns mapfn.NS, key Hash) (stored, address, error) {
	at, ok := s.walk(&key, nil)
	if !ok || at.held != nil && at.held.find(&key, 4*at.path.n) == nil {
		return stored{}, 0, nil
	}
	if st, from, err := s.fromHeld(at, ns, key); from > 0 || err != nil {
		return st, from, err
	}
	b, err := s.bucket(at.path, at.top)
	if err != nil {
		return stored{}, 0, err
	}
	if s.seen != nil {
		s.seen[at.path] = b
	}
	i, found := b.index(&key)
	if !found {
		return stored{}, 0, nil
	}
	st, err := s.read(ns, &b[i])
	return st, b[i].at, err
}

// fromHeld returns the record at key, and its address, if the bucket is held and has a
// stub that leads there. Otherwise the address is 0, and nothing is said about key.
func (s *Snapshot) fromHeld(in site, ns mapfn.NS, key Hash) (stored, address, error) {
	h := in.held
	if h == nil {
		return stored{}, 0, nil
	}
	found := h.find(&key, 4*in.path.n)
	if found == nil {
		return stored{}, 0, nil
	}
	st, err := s.read(ns, &leaf{key, found.hash, found.at})
	if errors.Is(err, ErrCorrupt) {
		// Or the stub is another key's. The bucket, read, tells.
		return stored{}, 0, nil
	}
	return st, found.at, err
}

// read returns the record of a leaf, which is in namespace ns.
func (s *Snapshot) read(ns mapfn.NS, leaf *leaf) (st stored, err error) {
	err = s.lend(leaf, func(lent []byte) error {
		var vh Hash
		var err error
		st, vh, err = parseStored(ns, bytes.Clone(lent))
		if err == nil && statusmap.LeafHash(leaf.key, vh) != leaf.hash {
			err = errors.New("another value hash")
		}
		if err != nil {
			return fmt.Errorf("%w: record %x of version %d: %v", ErrCorrupt, leaf.key, leaf.at.version(), err)
		}
		return nil
	})
	if err != nil {
		return stored{}, err
	}
	return st, nil
}

// Record returns the record at (ns, data), or nil if the map has none.
func (s *Snapshot) Record(ns mapfn.NS, data []byte) ([]byte, error) {
	st, _, err := s.lookup(ns, statusmap.Key(byte(ns), data))
	return st.record, err
}

// Peaks returns the hashes of the perfect subtrees of the event list at (ns,
// data), from left to right. They have been checked against the root in the
// record. It is nil where there is no record or no list.
func (s *Snapshot) Peaks(ns mapfn.NS, data []byte) ([]Hash, error) {
	st, _, err := s.lookup(ns, statusmap.Key(byte(ns), data))
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
	p := statusmap.Proof{Siblings: make([]Hash, 0, 40), Terminal: statusmap.TerminalEmpty}
	var st stored
	at, ok := s.walk(&key, &p.Siblings)
	if ok {
		var err error
		if st, err = s.proveIn(at, ns, key, &p); err != nil {
			return nil, statusmap.Proof{}, err
		}
	}
	var err error
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

// proveIn completes a proof about key, which is in namespace ns, by its way through
// a bucket, and returns the record.
func (s *Snapshot) proveIn(at site, ns mapfn.NS, key Hash, p *statusmap.Proof) (stored, error) {
	d, want := 4*at.path.n, &leaf{key: key}
	st, from, err := s.fromHeld(at, ns, key)
	if err != nil {
		return stored{}, err
	}
	if from > 0 {
		at.held.follow(want, d, &p.Siblings)
		p.Terminal = statusmap.TerminalKey
		return st, nil
	}
	b, err := s.bucket(at.path, at.top)
	if err != nil {
		return stored{}, err
	}
	switch end := follow(b, want, d, &p.Siblings); {
	case len(end) == 0:
		p.Terminal = statusmap.TerminalEmpty
	case end[0].key == key:
		p.Terminal = statusmap.TerminalKey
		return s.read(ns, &end[0])
	default:
		p.Terminal, p.OtherKey = statusmap.TerminalOther, end[0].key
		p.OtherValue, err = s.valueHash(&end[0])
	}
	return stored{}, err
}

// valueHash reads the value hash of a leaf.
func (s *Snapshot) valueHash(leaf *leaf) (Hash, error) {
	version := leaf.at.version()
	value, err := backend.Get(s.view, leafKey(leaf.key, version))
	if err != nil {
		return Hash{}, fmt.Errorf("reading leaf %x: %w", leaf.key, err)
	}
	vh, _, ok := parseLeafValue(value, version)
	if !ok || statusmap.LeafHash(leaf.key, vh) != leaf.hash {
		return Hash{}, fmt.Errorf("%w: leaf %x of version %d", ErrCorrupt, leaf.key, version)
	}
	return vh, nil
}

// Events returns up to n events of the list at (ns, data), from first on, as
// far as the list goes at this version. If they are the whole list, they have
// been checked against its root; a part can be checked by nobody alone.
func (s *Snapshot) Events(ns mapfn.NS, data []byte, first, n uint64) ([]mapfn.Event, error) {
	key := statusmap.Key(byte(ns), data)
	st, _, err := s.lookup(ns, key)
	if err != nil {
		return nil, err
	}
	return s.events(key, st, first, n)
}
