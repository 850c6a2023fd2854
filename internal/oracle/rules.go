package oracle

import (
	"math"
	"slices"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// setKey writes the record of a key.
func (s *step) setKey(id Hash, k *key) {
	k.last = s.index
	s.keys[id] = k
	s.stale[name{nsKey, string(id[:])}] = true
}

// introduce writes the record of a key seen for the first time.
func (s *step) introduce(k entry.PublicKey, role string, of *Hash) {
	s.setKey(k.ID(), &key{public: k, state: active, role: role, first: s.index, party: of})
}

// retire makes a key retired.
func (s *step) retire(id Hash) {
	k := s.keys[id]
	k.state, k.end = retired, &s.index
	s.setKey(id, k)
}

// spent reports whether a key has a record.
func (s *step) spent(k entry.PublicKey) bool { return s.keys[k.ID()] != nil }

// applyCharter: mapfn/SPEC.md, "charter".
func (s *step) applyCharter(c *entry.Charter) reason.Code {
	before := s.charter
	if before == nil {
		before = &charter{}
	} else if code := s.active(root); code != "" {
		return code
	} else if *c.After != before.last {
		return reason.AfterStale
	}
	if c.MapFn != 1 {
		return reason.MapFunction
	}
	registrars, roots := ids(c.Registrars), ids(c.Roots)
	for _, k := range c.Registrars {
		if !slices.Contains(before.registrars, k.ID()) && s.spent(k) {
			return reason.CharterKeys
		}
	}
	for _, k := range c.Roots {
		if !slices.Contains(before.roots, k.ID()) && s.spent(k) {
			return reason.CharterKeys
		}
	}
	s.turnOver(before.registrars, c.Registrars, registrar)
	s.turnOver(before.roots, c.Roots, root)
	s.charter = &charter{
		admission: c.Admission, issuance: c.Issuance, successor: c.Successor,
		leaf: s.leaf, last: s.index, registrars: registrars, roots: roots,
	}
	s.stale[name{ns: nsLog}] = true
	return ""
}

// turnOver introduces the keys that a charter names newly and retires those it
// no longer names.
func (s *step) turnOver(before []Hash, named []entry.PublicKey, role string) {
	for _, k := range named {
		if !slices.Contains(before, k.ID()) {
			s.introduce(k, role, nil)
		}
	}
	for _, id := range before {
		if !slices.Contains(ids(named), id) {
			s.retire(id)
		}
	}
}

func ids(keys []entry.PublicKey) []Hash {
	var out []Hash
	for _, k := range keys {
		out = append(out, k.ID())
	}
	return out
}

// partyEvent appends this event to a party's list; kinds 7 to 13 move last.
func (s *step) partyEvent(id Hash, kind byte) {
	p := s.parties[id]
	p.events = append(p.events, event{s.index, kind, s.e.ID})
	if kind != eventIssue {
		p.last = s.index
	}
	s.stale[name{nsParty, string(id[:])}] = true
}

// present finds a party that is active.
func (s *step) present(id Hash) (*party, reason.Code) {
	switch p := s.parties[id]; {
	case p == nil:
		return nil, reason.TargetUnknown
	case p.state != active:
		return nil, reason.PartyEnded
	default:
		return p, ""
	}
}

// recovers says why the signing key is not the present recovery key of p.
func (s *step) recovers(p *party) reason.Code {
	if s.signer.state != active {
		return reason.KeyNotActive
	}
	if p.recovery != s.e.KeyID {
		return reason.RoleNotAllowed
	}
	return ""
}

// applyParty: mapfn/SPEC.md, "party".
func (s *step) applyParty(p *entry.Party) reason.Code {
	switch p.Action {
	case entry.ActionEnrol:
		return s.enrol(p)
	case entry.ActionAmend:
		return s.amend(p)
	}
	return s.end(s.e.Subjects[0].ID)
}

func (s *step) enrol(p *entry.Party) reason.Code {
	if code := s.active(registrar); code != "" {
		return code
	}
	if s.spent(p.Recovery.Key) || slices.ContainsFunc(p.Keys, func(k entry.KeyProof) bool { return s.spent(k.Key) }) {
		return reason.KeySpent
	}
	id := s.e.ID
	s.introduce(p.Recovery.Key, recovery, &id)
	for _, k := range p.Keys {
		s.introduce(k.Key, ordinary, &id)
	}
	s.parties[id] = &party{
		state: active, issued: s.index, leaf: s.leaf, recovery: p.Recovery.Key.ID(),
		roles: p.Roles, keys: uint64(len(p.Keys)),
	}
	s.partyEvent(id, eventEnrol)
	return ""
}

func (s *step) amend(a *entry.Party) reason.Code {
	id := s.e.Subjects[0].ID
	p, code := s.present(id)
	if code != "" {
		return code
	}
	if *a.After != p.last {
		return reason.AfterStale
	}
	if a.Roles != nil {
		if code := s.active(registrar); code != "" {
			return code
		}
		p.roles = a.Roles
		s.partyEvent(id, eventAmend)
		return ""
	}
	if code := s.recovers(p); code != "" {
		return code
	}
	if a.Recovery != nil {
		if s.spent(a.Recovery.Key) {
			return reason.KeySpent
		}
		s.retire(p.recovery)
		s.introduce(a.Recovery.Key, recovery, &id)
		p.recovery = a.Recovery.Key.ID()
	}
	s.partyEvent(id, eventAmend)
	return ""
}

func (s *step) end(id Hash) reason.Code {
	p, code := s.present(id)
	if code != "" {
		return code
	}
	if s.recovers(p) != "" {
		if code := s.active(registrar); code != "" {
			return code
		}
	}
	p.state, p.end = ended, &s.index
	s.partyEvent(id, eventEnd)
	s.withdraw(8, 0, id, 0, 0)
	return ""
}

// applyKey: mapfn/SPEC.md, "key".
func (s *step) applyKey(k *entry.Key) reason.Code {
	id := s.e.Subjects[0].ID
	if k.Action == entry.ActionAdd {
		return s.addKey(k.Party, k.Add.Key)
	}
	target := s.keys[id]
	if target == nil {
		return reason.TargetUnknown
	}
	if target.role != ordinary {
		return reason.RoleNotAllowed
	}
	if code := s.mayEnd(target, k); code != "" {
		return code
	}
	if k.Action == entry.ActionRetire {
		if target.state != active {
			return reason.TargetState
		}
		s.retire(id)
		s.partyEvent(*target.party, eventRetire)
		return ""
	}
	return s.compromise(id, target, k)
}

func (s *step) addKey(id Hash, k entry.PublicKey) reason.Code {
	p, code := s.present(id)
	if code == "" {
		code = s.recovers(p)
	}
	switch {
	case code != "":
		return code
	case p.keys >= 32:
		return reason.KeyLimit
	case s.spent(k):
		return reason.KeySpent
	}
	p.keys++
	s.introduce(k, ordinary, &id)
	s.partyEvent(id, eventAdd)
	return ""
}

// mayEnd says why the signer may not retire or compromise target.
func (s *step) mayEnd(target *key, k *entry.Key) reason.Code {
	if s.signer != target {
		return s.recovers(s.parties[*target.party])
	}
	// The key itself: active to retire, not compromised to be compromised,
	// and without cutoff.
	if target.state == compromised || k.Action == entry.ActionRetire && target.state != active {
		return reason.KeyNotActive
	}
	if k.Cutoff != nil {
		return reason.Cutoff
	}
	return ""
}

func (s *step) compromise(id Hash, target *key, k *entry.Key) reason.Code {
	cutoff := s.index
	if k.Cutoff != nil {
		cutoff = *k.Cutoff
	}
	if cutoff > s.index || target.cutoff != nil && cutoff >= *target.cutoff {
		return reason.Cutoff
	}
	target.state, target.cutoff = compromised, &cutoff
	if target.end == nil {
		target.end = &s.index
	}
	s.setKey(id, target)
	s.partyEvent(*target.party, eventCompromise)
	s.withdraw(6, 0, id, cutoff, math.MaxUint64)
	return ""
}

// applyAttestation: mapfn/SPEC.md, "attestation".
func (s *step) applyAttestation(a *entry.Attestation) reason.Code {
	if code := s.active(ordinary); code != "" {
		return code
	}
	switch {
	case s.parties[*s.signer.party].state != active:
		return reason.PartyEnded
	case s.charter.issuance != "open":
		return reason.IssuanceClosed
	case a.Programme != nil:
		return reason.Programme
	}
	made := &attestation{
		state: active, issued: s.index, last: s.index, leaf: s.leaf, key: s.e.KeyID, packages: map[string]bool{},
	}
	for _, subject := range s.e.Subjects {
		made.packages[subject.Purl.Package()] = true
	}
	if a.Supersedes != nil {
		if !s.maySupersede(*a.Supersedes, made) {
			return reason.Supersedes
		}
		old := s.attestations[*a.Supersedes]
		old.settle(superseded, s.index)
		old.successor = &s.e.ID
		s.changed(*a.Supersedes)
		s.withdraw(5, 0, *a.Supersedes, s.index, 0)
	}
	s.attestations[s.e.ID] = made
	s.changed(s.e.ID)
	s.index1(*s.signer.party)
	return ""
}

func (s *step) changed(id Hash) { s.stale[name{nsAttestation, string(id[:])}] = true }

func (s *step) maySupersede(id Hash, by *attestation) bool {
	old := s.attestations[id]
	if old == nil || *s.keys[old.key].party != *s.signer.party {
		return false
	}
	if old.state != active && (old.state != held || *old.by != *s.signer.party) {
		return false
	}
	for p := range by.packages {
		if old.packages[p] {
			return true
		}
	}
	return false
}

// index1 puts event 1 into each distinct list of the subjects, and the
// issuer's.
func (s *step) index1(issuer Hash) {
	names := map[name]bool{}
	for _, subject := range s.e.Subjects {
		names[name{nsPackage, subject.Purl.Package()}] = true
		if subject.Purl.HasVersion() {
			names[name{nsComponent, subject.Purl.Component()}] = true
			names[name{nsDigest, subject.Algorithm + ":" + subject.Digest}] = true
		}
	}
	for n := range names {
		s.listed(n, eventIssue)
	}
	s.partyEvent(issuer, eventIssue)
}

// applyRevocation: mapfn/SPEC.md, "revocation".
func (s *step) applyRevocation(r *entry.Revocation) reason.Code {
	if code := s.active(ordinary); code != "" {
		return code
	}
	if r.Programme != nil {
		return reason.Programme
	}
	var first reason.Code
	changed := false
	for i, subject := range s.e.Subjects {
		code := s.judge(r, i, subject.ID)
		if i == 0 {
			first = code
		}
		if code == "" {
			changed = true
			s.changed(subject.ID)
		}
	}
	if !changed {
		return first
	}
	return ""
}

// judge changes target number i of r, or says why not.
func (s *step) judge(r *entry.Revocation, i int, id Hash) reason.Code {
	a := s.attestations[id]
	if a == nil {
		return reason.TargetUnknown
	}
	own := s.signer.party
	if *s.keys[a.key].party != *own {
		return reason.NotYours
	}
	switch r.Action {
	case entry.ActionRevoke:
		if a.state == revoked {
			return reason.TargetState
		}
		a.settle(revoked, s.index)
		a.why = r.Reason
		s.withdraw(1, r.Reason, id, 0, 0)
	case entry.ActionHold:
		if a.state != active && (a.state != held || *a.by != *own) {
			return reason.TargetState
		}
		if r.After[i] != a.last {
			return reason.AfterStale
		}
		hold := s.e.ID
		a.state, a.last, a.why, a.hold, a.by, a.until = held, s.index, r.Reason, &hold, own, r.Until
		s.withdraw(2, r.Reason, id, 0, r.Until)
	case entry.ActionReinstate:
		if s.parties[*own].state != active {
			return reason.PartyEnded
		}
		if a.state != held || *a.hold != r.Hold || *a.by != *own {
			return reason.HoldMismatch
		}
		a.settle(active, s.index)
		s.withdraw(3, r.Reason, id, 0, 0)
	}
	return ""
}
