package altreader

import (
	"math"
	"slices"
)

// active says why the signing key is not an active key of a role.
func (s *step) active(role string) string {
	if s.signer.state != active {
		return "key-not-active"
	}
	if s.signer.role != role {
		return "role-not-allowed"
	}
	return ""
}

// present says why the signing key is not an active ordinary key of an active
// party.
func (s *step) present() string {
	code := s.active(ordinary)
	if code == "" && s.parties[*s.signer.party].state != active {
		code = "party-ended"
	}
	return code
}

// withdraw appends to the withdrawal list.
func (s *step) withdraw(kind, why, flags byte, id Hash, from, to uint64) {
	b := append(u64(s.index), kind, why, 0, flags)
	b = append(b, id[:]...)
	b = append(append(b, u64(from)...), u64(to)...)
	s.withdrawals.add(b)
	s.withdrawn = append(s.withdrawn, b)
}

// now is the index, for keeping.
func (s *step) now() *uint64 { index := s.index; return &index }

// setKey writes the record of a key.
func (s *step) setKey(id Hash, k *key) {
	k.last = s.index
	s.keys[id] = k
	s.stale[name{nsKey, string(id[:])}] = true
}

// introduce writes the record of a key seen for the first time.
func (s *step) introduce(k *publicKey, role string, of *Hash) {
	s.setKey(k.id, &key{public: k, state: active, role: role, first: s.index, party: of})
}

// retire makes a key retired.
func (s *step) retire(id Hash) {
	k := s.keys[id]
	k.state, k.end = retired, s.now()
	s.setKey(id, k)
}

// spent reports whether a key has a record.
func (s *step) spent(k *publicKey) bool { return s.keys[k.id] != nil }

// applyCharter: mapfn/SPEC.md, "charter".
func (s *step) applyCharter(c *charterEntry) string {
	before := s.charter
	if before == nil {
		before = &charter{}
	} else if code := s.active(root); code != "" {
		return code
	} else if *c.after != before.last {
		return "after-stale"
	}
	// SPEC: mapfn is 1 at index 0; later the fn in force or one more.
	if c.mapfn != s.function() && (s.charter == nil || c.mapfn != s.function()+1) {
		return "map-function"
	}
	if s.foreign(before.registrars, c.registrars) || s.foreign(before.roots, c.roots) {
		return "charter-keys"
	}
	s.turnOver(before.registrars, c.registrars, registrar)
	s.turnOver(before.roots, c.roots, root)
	s.charter = &charter{
		fn: c.mapfn, admission: c.admission, issuance: c.issuance, successor: c.successor,
		leaf: s.leaf, last: s.index, registrars: ids(c.registrars), roots: ids(c.roots),
	}
	s.stale[name{ns: nsLog}] = true
	return ""
}

// foreign reports a key that is neither in the present record in the same role
// nor new.
func (s *step) foreign(before []Hash, named []*publicKey) bool {
	return slices.ContainsFunc(named, func(k *publicKey) bool { return !slices.Contains(before, k.id) && s.spent(k) })
}

// turnOver introduces the keys that a charter names newly and retires those it
// no longer names.
func (s *step) turnOver(before []Hash, named []*publicKey, role string) {
	for _, k := range named {
		if !slices.Contains(before, k.id) {
			s.introduce(k, role, nil)
		}
	}
	for _, id := range before {
		if !holds(named, id) {
			s.retire(id)
		}
	}
}

func ids(keys []*publicKey) []Hash {
	var out []Hash
	for _, k := range keys {
		out = append(out, k.id)
	}
	return out
}

// partyEvent appends this event to a party's list; kinds 7 to 16 move last.
func (s *step) partyEvent(id Hash, kind byte) {
	p := s.parties[id]
	p.events.append(s.index, kind, s.e.id)
	if kind != eventIssue {
		p.last = s.index
	}
	s.stale[name{nsParty, string(id[:])}] = true
}

// partyOf finds a party that is active.
func (s *step) partyOf(id Hash) (*party, string) {
	switch p := s.parties[id]; {
	case p == nil:
		return nil, "target-unknown"
	case p.state != active:
		return nil, "party-ended"
	default:
		return p, ""
	}
}

// recovers says why the signing key is not the present recovery key of p.
func (s *step) recovers(p *party) string {
	if s.signer.state != active {
		return "key-not-active"
	}
	if p.recovery != s.e.keyID {
		return "role-not-allowed"
	}
	return ""
}

// applyParty: mapfn/SPEC.md, "party".
func (s *step) applyParty(p *partyEntry) string {
	switch p.action {
	case "enrol":
		return s.enrol(p)
	case "amend":
		return s.amend(p, s.e.subjects[0].id)
	}
	return s.end(s.e.subjects[0].id)
}

func (s *step) enrol(p *partyEntry) string {
	if code := s.active(registrar); code != "" {
		return code
	}
	if s.spent(p.recovery) || slices.ContainsFunc(p.keys, s.spent) {
		return "key-spent"
	}
	id := s.e.id
	s.introduce(p.recovery, recovery, &id)
	for _, k := range p.keys {
		s.introduce(k, ordinary, &id)
	}
	s.parties[id] = &party{
		state: active, issued: s.index, leaf: s.leaf, recovery: p.recovery.id,
		roles: p.roles, keys: uint64(len(p.keys)),
	}
	s.partyEvent(id, eventEnrol)
	return ""
}

func (s *step) amend(a *partyEntry, id Hash) string {
	p, code := s.partyOf(id)
	if code != "" {
		return code
	}
	if *a.after != p.last {
		return "after-stale"
	}
	if a.roles != nil {
		if code := s.active(registrar); code != "" {
			return code
		}
		p.roles = a.roles
		s.partyEvent(id, eventAmend)
		return ""
	}
	if code := s.recovers(p); code != "" {
		return code
	}
	if a.recovery != nil {
		if s.spent(a.recovery) {
			return "key-spent"
		}
		s.retire(p.recovery)
		s.introduce(a.recovery, recovery, &id)
		p.recovery = a.recovery.id
	}
	s.partyEvent(id, eventAmend)
	return ""
}

func (s *step) end(id Hash) string {
	p, code := s.partyOf(id)
	if code != "" {
		return code
	}
	if s.recovers(p) != "" {
		if code := s.active(registrar); code != "" {
			return code
		}
	}
	p.state, p.end = ended, s.now()
	s.partyEvent(id, eventEnd)
	s.withdraw(8, 0, 0, id, 0, 0)
	return ""
}

// applyKey: mapfn/SPEC.md, "key".
func (s *step) applyKey(k *keyEntry) string {
	id := s.e.subjects[0].id
	if k.action == "add" {
		return s.addKey(k.party, k.added)
	}
	target := s.keys[id]
	if target == nil {
		return "target-unknown"
	}
	if target.role != ordinary {
		return "role-not-allowed"
	}
	if code := s.mayEnd(target, k); code != "" {
		return code
	}
	switch k.action {
	case "range":
		return s.void(id, target, k.void)
	case "compromise":
		return s.compromise(id, target, k.cutoff)
	}
	if target.state != active {
		return "target-state"
	}
	s.retire(id)
	s.partyEvent(*target.party, eventRetire)
	return ""
}

func (s *step) addKey(id Hash, k *publicKey) string {
	p, code := s.partyOf(id)
	if code == "" {
		code = s.recovers(p)
	}
	switch {
	case code != "":
		return code
	case p.keys >= 32:
		return "key-limit"
	case s.spent(k):
		return "key-spent"
	}
	p.keys++
	s.introduce(k, ordinary, &id)
	s.partyEvent(id, eventAdd)
	return ""
}

// mayEnd says why the signer may not retire, compromise or void target.
func (s *step) mayEnd(target *key, k *keyEntry) string {
	// SPEC: but for range, by the key itself.
	if s.signer != target || k.action == "range" {
		return s.recovers(s.parties[*target.party])
	}
	// The key itself: active to retire, not compromised to be compromised,
	// and without cutoff.
	if target.state == compromised || k.action == "retire" && target.state != active {
		return "key-not-active"
	}
	if k.cutoff != nil {
		return "cutoff-invalid"
	}
	return ""
}

func (s *step) compromise(id Hash, target *key, named *uint64) string {
	cutoff := s.index
	if named != nil {
		cutoff = *named
	}
	if cutoff > s.index || target.cutoff != nil && cutoff >= *target.cutoff {
		return "cutoff-invalid"
	}
	target.state, target.cutoff = compromised, &cutoff
	if target.end == nil {
		target.end = s.now()
	}
	s.setKey(id, target)
	s.partyEvent(*target.party, eventCompromise)
	s.withdraw(6, 0, 0, id, cutoff, math.MaxUint64)
	return ""
}

// void declares a range of a key's attestations void.
func (s *step) void(id Hash, target *key, v void) string {
	switch {
	case v.to > s.index:
		return "cutoff-invalid"
	case slices.Contains(target.voids, v):
		return "no-change"
	case len(target.voids) >= 16:
		return "key-limit"
	}
	target.voids = append(target.voids, v)
	s.setKey(id, target)
	s.partyEvent(*target.party, eventRange)
	var flags byte
	if v.pkg != "" {
		flags = 1
	}
	s.withdraw(7, v.reason, flags, id, v.from, v.to)
	return ""
}

// applyProgramme: mapfn/SPEC.md, "programme".
func (s *step) applyProgramme(e *programmeEntry) string {
	if code := s.present(); code != "" {
		return code
	}
	own, id, kind := *s.signer.party, s.e.id, byte(eventProgrammePublish)
	p := &programme{state: open, issued: s.index, party: own}
	if e.action == "publish" {
		// SPEC: else the same publication, logged again, would open what was
		// closed.
		if s.programmes[id] != nil {
			return "no-change"
		}
	} else {
		id = s.e.subjects[0].id
		var code string
		if p, code = s.operated(id); code != "" {
			return code
		}
		if e.action == "amend" && *e.after != p.last {
			return "after-stale"
		}
		kind = eventProgrammeAmend
	}
	p.last = s.index
	if e.action == "close" {
		p.state, kind = closedState, eventProgrammeClose
	} else {
		p.at, p.leaf, p.rules = s.index, s.leaf, e.rules
	}
	s.programmes[id] = p
	s.stale[name{nsProgramme, string(id[:])}] = true
	s.partyEvent(own, kind)
	return ""
}

// operated finds an open programme of the signer's party.
func (s *step) operated(id Hash) (*programme, string) {
	switch p := s.programmes[id]; {
	case p == nil:
		return nil, "programme-unknown"
	case p.party != *s.signer.party:
		return nil, "not-your-programme"
	case p.state != open:
		return nil, "programme-closed"
	default:
		return p, ""
	}
}
