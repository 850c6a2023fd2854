package prover

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
)

// published is a checkpoint that was verified, and what was proven under it that
// many bundles share: its seal, and who has issued what they show.
type published struct {
	note []byte
	text string // note
	body trust.Body

	mu      sync.Mutex
	last    *sealed // nil: not proven yet
	issuers map[Hash]*issuer
	size    int // of issuers, in bytes
}

// sealed is the seal with which the tree of a checkpoint ends, and the map that it
// seals, whose nodes are kept until a newer checkpoint is read.
type sealed struct {
	seal   *seal.Seal
	shown  bundle.Seal
	status *mapstore.Snapshot // of a view that may be closed
}

// issuer is a key with its party.
type issuer struct {
	record mapfn.KeyRecord
	key    bundle.Key
	party  bundle.Party
}

// maxIssuers bounds what is kept of issuers, in bytes: about a thousand of
// ordinary ones. Without it a third of what a bundle reads and proves would be its
// issuer, again and again.
const maxIssuers = 4 << 20

// published returns the checkpoint that is published in view, verified, or nil.
func (p *Prover) published(view backend.View) (*published, error) {
	note, err := sequencer.PublishedIn(view, p.known())
	if err != nil || note == nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest != nil && bytes.Equal(p.newest.note, note) {
		return p.newest, nil
	}
	cp, err := p.policy.OpenLogSigned(note)
	if err != nil {
		return nil, damaged("the published checkpoint: %w", err)
	}
	// Whether a time lies in the future is for readers to judge, by their own
	// clocks. Without a quorum, either a line is damaged or the trust file is
	// another than at the last start: the next publication settles it.
	if _, err := p.policy.QuorumTime(cp.Cosignatures, endOfTime); err != nil {
		return nil, fmt.Errorf("the published checkpoint: %w", err)
	}
	p.newest = &published{note: note, text: string(note), body: cp.Body}
	return p.newest, nil
}

// known returns the checkpoint that was published last time, or nil.
func (p *Prover) known() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest == nil {
		return nil
	}
	return p.newest.note
}

// endOfTime is later than any cosignature.
var endOfTime = time.Unix(1<<40, 0)

// sealed returns what the checkpoint's seal says; s is open as far as proving
// takes.
func (u *published) sealed(s *State) (*sealed, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		last, err := s.sealed()
		if err != nil {
			return nil, err
		}
		u.last = last
	}
	return u.last, nil
}

// sealed proves the seal, and compares the map with it.
func (s *State) sealed() (*sealed, error) {
	leaf, path, err := s.leaf(s.Size - 1)
	if err != nil {
		return nil, err
	}
	last, err := seal.Parse(leaf)
	if err != nil {
		return nil, damaged("leaf %d: %w", s.Size-1, err)
	}
	status, err := mapstore.OpenAt(s.view, s.p.cache, s.Size)
	if err != nil {
		return nil, fmt.Errorf("the map at size %d: %w", s.Size, err)
	}
	list, err := status.WithdrawalRoot()
	if err != nil {
		return nil, err
	}
	if status.Root() != last.MapRoot || status.WithdrawalCount() != last.Withdrawals || list != last.WithdrawalRoot {
		return nil, damaged("the stored state at size %d is not the one of its seal", s.Size)
	}
	return &sealed{last, bundle.Seal{Leaf: string(leaf), Path: path}, status}, nil
}

// issuer returns the key with an id, and its party. It is not changed.
func (u *published) issuer(s *State, id Hash) (*issuer, error) {
	u.mu.Lock()
	i := u.issuers[id]
	u.mu.Unlock()
	if i != nil {
		return i, nil
	}
	i, err := s.issuer(id)
	if err != nil {
		return nil, err
	}
	u.keep(id, i)
	return i, nil
}

// keep keeps an issuer; if that would be too many, it lets all others go.
func (u *published) keep(id Hash, i *issuer) {
	size := len(i.key.Record) + len(i.key.Proof) + len(i.party.Entry) + len(i.party.Record) + len(i.party.Proof) + 1<<10
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.issuers[id] != nil {
		return // somebody else was as fast
	}
	if u.issuers == nil || u.size+size > maxIssuers {
		u.issuers, u.size = map[Hash]*issuer{}, 0
	}
	u.issuers[id], u.size = i, u.size+size
}

// issuer proves the key with an id, and its party.
func (s *State) issuer(id Hash) (*issuer, error) {
	var i issuer
	b, p, err := s.record(mapfn.NSKey, id[:])
	if err != nil {
		return nil, err
	}
	if i.record, err = mapfn.ParseKey(b); err != nil {
		return nil, err
	}
	spki, err := sequencer.KeyStore{Backend: s.p.backend}.SPKI(id)
	if err != nil {
		return nil, err
	}
	if spki == nil {
		return nil, damaged("key %x is missing", id)
	}
	i.key = bundle.Key{SPKI: spki, Record: b, Proof: p}
	i.party, err = s.party(Hash(*i.record.Party))
	return &i, err
}

// party proves a party.
func (s *State) party(id Hash) (out bundle.Party, err error) {
	b, p, err := s.record(mapfn.NSParty, id[:])
	if err != nil {
		return out, err
	}
	r, err := mapfn.ParseParty(b)
	if err != nil {
		return out, err
	}
	leaves, err := s.p.backend.Leaves(s.ctx, r.Issued, 1)
	if err != nil {
		return out, err
	}
	return bundle.Party{Entry: leaves[0], Record: b, Proof: p}, matches(leaves[0], r.Leaf)
}
