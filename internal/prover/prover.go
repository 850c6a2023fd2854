// Package prover answers questions about a log from its newest published
// checkpoint: bundles that prove, statuses that do not, and entries.
//
// Invariants:
//
//   - Every answer is about one published checkpoint, whatever is appended
//     meanwhile.
//   - No bundle leaves whose hash paths were not verified here against that
//     checkpoint: those that many bundles share, once. (Its signatures were, at
//     admission.)
package prover

import (
	"context"
	"fmt"
	"sync"

	"github.com/transparency-dev/merkle/proof"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/statusmap"
	"github.com/standing-log/standing/personality/treehash"
	"github.com/standing-log/standing/personality/trust"
)

// Hash is a SHA-256 value.
type Hash = [32]byte

// Prover reads one log. It is safe for concurrent use.
type Prover struct {
	backend backend.Backend
	policy  *trust.Policy
	cache   *mapstore.Cache

	mu     sync.Mutex
	newest *published // verified last
}

// New returns a Prover. The cache is the one of the log's sequencer.
func New(b backend.Backend, policy *trust.Policy, cache *mapstore.Cache) *Prover {
	return &Prover{backend: b, policy: policy, cache: cache}
}

// Checkpoint returns the newest published checkpoint, or nil before the first.
// It is verified, so that what leaves here has its quorum.
func (p *Prover) Checkpoint() ([]byte, error) {
	view := p.backend.View()
	defer view.Close()
	cp, err := p.published(view)
	if cp == nil {
		return nil, err
	}
	return cp.note, nil
}

// damaged is an error of class backend.ErrDamaged.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", backend.ErrDamaged, fmt.Errorf(format, args...))
}

// State is the log at one published checkpoint. It MUST be closed.
type State struct {
	p          *Prover
	ctx        context.Context
	view       backend.View
	under      *published
	Map        *mapstore.Snapshot
	Checkpoint []byte // the signed note
	trust.Body
	Seal *seal.Seal
}

// Open returns the state at the newest published checkpoint. It fails with
// not-found while nothing is published.
func (p *Prover) Open(ctx context.Context) (*State, error) {
	s := &State{p: p, ctx: ctx, view: p.backend.View()}
	if err := s.open(); err != nil {
		s.view.Close()
		return nil, err
	}
	return s, nil
}

// Close releases the state.
func (s *State) Close() { s.view.Close() }

func (s *State) open() error {
	var err error
	if s.under, err = s.p.published(s.view); err != nil {
		return err
	}
	if s.under == nil {
		return reason.Errorf(reason.NotFound, "nothing is published yet")
	}
	s.Checkpoint, s.Body = s.under.note, s.under.body
	sealed, err := s.under.sealed(s)
	if err != nil {
		return err
	}
	s.Seal, s.Map = sealed.seal, sealed.status.In(s.view)
	return nil
}

// leaf returns a leaf with its audit path, verified.
func (s *State) leaf(index uint64) ([]byte, []Hash, error) {
	leaves, err := s.p.backend.Leaves(s.ctx, index, 1)
	if err != nil {
		return nil, nil, fmt.Errorf("reading leaf %d: %w", index, err)
	}
	path, err := s.p.backend.InclusionProof(s.ctx, index, s.Size)
	if err != nil {
		return nil, nil, fmt.Errorf("proving leaf %d: %w", index, err)
	}
	hashes := make([][]byte, len(path))
	for i := range path {
		hashes[i] = path[i][:]
	}
	if err := proof.VerifyInclusion(treehash.Hasher{}, index, s.Size,
		treehash.Hasher{}.HashLeaf(leaves[0]), hashes, s.Root[:]); err != nil {
		return nil, nil, damaged("the stored tree does not prove leaf %d: %w", index, err)
	}
	return leaves[0], path, nil
}

// record returns the record at (ns, data), or nil, with its proof, verified.
func (s *State) record(ns mapfn.NS, data []byte) ([]byte, []byte, error) {
	record, p, err := s.Map.Prove(ns, data)
	if err != nil {
		return nil, nil, fmt.Errorf("proving record %d %x: %w", ns, data, err)
	}
	key := statusmap.Key(byte(ns), data)
	if record == nil {
		err = p.VerifyAbsent(s.Seal.MapRoot, key)
	} else {
		err = p.VerifyPresent(s.Seal.MapRoot, key, statusmap.ValueHash(byte(ns), record))
	}
	if err != nil {
		return nil, nil, damaged("the stored map does not prove record %d %x: %w", ns, data, err)
	}
	return record, p.Marshal(), nil
}

// Found is what the log says of one attestation, unproven.
type Found struct {
	Entry  *entry.Entry
	Record mapfn.AttestationRecord
	Key    mapfn.KeyRecord
	Party  mapfn.PartyRecord
	Enrol  *entry.Party
	ID     Hash // of the party
}

// MaxFound bounds the attestations that are looked up for one subject.
const MaxFound = 256

// Status returns what the log has about an attestation id, a purl with or
// without version, or a digest, the newest last, and how many there are.
func (s *State) Status(subject string) ([]Found, uint64, error) {
	ids, total, err := s.resolve(subject)
	if err != nil {
		return nil, 0, err
	}
	out := make([]Found, 0, len(ids))
	for _, id := range ids {
		f, err := s.find(id)
		if err != nil {
			return nil, 0, err
		}
		out = append(out, f)
	}
	return out, total, nil
}

func (s *State) find(id Hash) (f Found, err error) {
	b, err := s.Map.Record(mapfn.NSAttestation, id[:])
	if err != nil {
		return f, err
	}
	if f.Record, err = mapfn.ParseAttestation(b); err != nil {
		return f, err
	}
	if f.Entry, err = s.parseLeaf(f.Record.Issued); err != nil {
		return f, err
	}
	if b, err = s.Map.Record(mapfn.NSKey, f.Record.Key[:]); err != nil {
		return f, err
	}
	if f.Key, err = mapfn.ParseKey(b); err != nil {
		return f, err
	}
	f.ID = Hash(*f.Key.Party)
	if b, err = s.Map.Record(mapfn.NSParty, f.ID[:]); err != nil {
		return f, err
	}
	if f.Party, err = mapfn.ParseParty(b); err != nil {
		return f, err
	}
	e, err := s.parseLeaf(f.Party.Issued)
	if err != nil {
		return f, err
	}
	f.Enrol = e.Party
	return f, nil
}

// parseLeaf parses a leaf that the tree proves.
func (s *State) parseLeaf(index uint64) (*entry.Entry, error) {
	leaf, _, err := s.leaf(index)
	if err != nil {
		return nil, err
	}
	return entry.Parse(leaf)
}
