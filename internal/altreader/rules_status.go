package altreader

import (
	"slices"
	"strings"
	"unique"
)

// applyAttestation: mapfn/SPEC.md, "attestation".
func (s *step) applyAttestation(a *attestationEntry) string {
	if code := s.present(); code != "" {
		return code
	}
	if s.charter.issuance != open {
		return "issuance-closed"
	}
	if a.programme != nil {
		if code := s.mayIssue(a, *a.programme); code != "" {
			return code
		}
	}
	made := &attestation{
		state: active, issued: s.index, last: s.index, leaf: s.leaf, key: s.e.keyID,
		programme: a.programme, claims: unique.Make(lines(a.claims)),
	}
	for _, subject := range s.e.subjects {
		if pkg := unique.Make(subject.purl.pkg).Value(); !slices.Contains(made.packages, pkg) {
			made.packages = append(made.packages, pkg)
		}
	}
	if a.supersedes != nil {
		if !s.maySupersede(*a.supersedes, made) {
			return "supersedes-invalid"
		}
		old, id := s.attestations[*a.supersedes], s.e.id
		old.settle(superseded, s.index)
		old.successor = &id
		s.changed(*a.supersedes)
		s.withdraw(5, 0, 0, *a.supersedes, s.index, 0)
	}
	s.attestations[s.e.id] = made
	s.changed(s.e.id)
	s.listIssue(*s.signer.party)
	return ""
}

// lines has a line feed behind each item.
func lines(items []string) string {
	var b strings.Builder
	for _, item := range items {
		b.WriteString(item + "\n")
	}
	return b.String()
}

// mayIssue says why a programme's newest rules do not allow an attestation.
func (s *step) mayIssue(a *attestationEntry, id Hash) string {
	p := s.programmes[id]
	switch {
	case p == nil:
		return "programme-unknown"
	case p.state != open:
		return "programme-closed"
	}
	own := *s.signer.party
	switch r := p.rules; {
	// SPEC: members is any or names the signer's party.
	case !r.anyone && !slices.Contains(r.members, own),
		// SPEC: the party's record has one of roles.
		!slices.ContainsFunc(s.parties[own].roles, func(role string) bool { return slices.Contains(r.roles, role) }),
		// SPEC: validUntil − validFrom ≤ maxValidity.
		a.until-a.from > r.maxValidity,
		// SPEC: claims, if there are any, are of one of catalogues.
		a.claims != nil && !slices.Contains(r.catalogues, a.catalogue):
		return "programme-rules"
	}
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
	return slices.ContainsFunc(by.packages, func(p string) bool { return slices.Contains(old.packages, p) })
}

// listIssue puts event 1 into each distinct list of the subjects, and the
// issuer's.
func (s *step) listIssue(issuer Hash) {
	names := map[name]bool{}
	for _, subject := range s.e.subjects {
		names[name{nsPackage, subject.purl.pkg}] = true
		if subject.purl.hasVersion {
			names[name{nsComponent, subject.purl.component}] = true
			names[name{nsDigest, subject.algorithm + ":" + subject.digest}] = true
		}
	}
	for n := range names {
		list := s.lists[n]
		if list == nil {
			n.data = strings.Clone(n.data) // not the whole subject
			list = &events{}
			s.lists[n] = list
		}
		list.append(s.index, eventIssue, s.e.id)
		s.stale[n] = true
	}
	s.partyEvent(issuer, eventIssue)
}

// applyRevocation: mapfn/SPEC.md, "revocation".
func (s *step) applyRevocation(r *revocationEntry) string {
	code := s.active(ordinary)
	if r.action == "reinstate" && code == "" {
		code = s.present()
	}
	if r.programme != nil && code == "" {
		_, code = s.operated(*r.programme)
	}
	if code != "" {
		return code
	}
	var first string
	changed := false
	for i, subject := range s.e.subjects {
		code := s.judge(r, i, subject.id)
		if i == 0 {
			first = code
		}
		if code == "" {
			changed = true
			s.changed(subject.id)
		}
	}
	if !changed {
		return first
	}
	return ""
}

// judge changes target number i of r, or says why not.
func (s *step) judge(r *revocationEntry, i int, id Hash) string {
	a := s.attestations[id]
	if a == nil {
		return "target-unknown"
	}
	own := s.signer.party
	// SPEC: its key's party is the signer's; or, where programme is named,
	// its leaf names that programme.
	if *s.keys[a.key].party != *own && (r.programme == nil || a.programme == nil || *a.programme != *r.programme) {
		return "not-your-attestation"
	}
	switch r.action {
	case "revoke":
		if a.state == revoked {
			return "target-state"
		}
		a.settle(revoked, s.index)
		a.why = r.reason
		s.withdraw(1, r.reason, 0, id, 0, 0)
	case "hold":
		return s.hold(r, r.after[i], id, a)
	case "claims":
		return s.withdrawClaims(r, id, a)
	case "reinstate":
		if a.state != held || *a.hold != r.hold || *a.by != *own {
			return "hold-mismatch"
		}
		a.settle(active, s.index)
		s.withdraw(3, r.reason, 0, id, 0, 0)
	}
	return ""
}

func (s *step) hold(r *revocationEntry, after uint64, id Hash, a *attestation) string {
	own := s.signer.party
	if a.state != active && (a.state != held || *a.by != *own) {
		return "target-state"
	}
	if after != a.last {
		return "after-stale"
	}
	hold := s.e.id
	a.state, a.last, a.why, a.hold, a.by, a.until = held, s.index, r.reason, &hold, own, r.until
	s.withdraw(2, r.reason, 0, id, 0, r.until)
	return ""
}

func (s *step) withdrawClaims(r *revocationEntry, id Hash, a *attestation) string {
	if a.state == revoked {
		return "target-state"
	}
	made := strings.Split(a.claims.Value(), "\n")
	union := slices.Clone(a.withdrawn)
	for _, claim := range r.claims {
		if !slices.Contains(made, claim) {
			return "claim-unknown"
		}
		if !slices.Contains(union, claim) {
			union = append(union, claim)
		}
	}
	switch {
	case len(union) == len(a.withdrawn):
		return "no-change"
	case len(union) > 64:
		return "claims-limit"
	}
	slices.Sort(union)
	a.withdrawn, a.last = union, s.index
	s.withdraw(4, r.reason, 1, id, 0, 0)
	return ""
}
