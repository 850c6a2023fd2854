package verify

import (
	"errors"
	"fmt"
	"slices"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/statusmap"
)

// Subject is what a bundle shows about one key of the map: which attestations
// the log has about a component, a package or a digest.
type Subject struct {
	mapfn.Place
	// Incomplete says why these are not shown to be all; "" if they are.
	Incomplete string
	// Count is how many attestations the log has about it, and Events which,
	// oldest first, if the bundle says.
	Count  uint64
	Events []mapfn.Event
	// Results are those of them that the bundle judges, as indexes of
	// Report.Results. Opened are those of which it only shows what they are
	// about: no component that is complete is among that.
	Results []int
	Opened  []*entry.Entry
}

// Subject returns what the bundle shows about a component, a package or a
// digest, or nil: then it shows nothing, least of all that there is nothing.
func (r *Report) Subject(data string) *Subject {
	if i, ok := r.byData[data]; ok {
		return &r.Subjects[i]
	}
	return nil
}

// Component returns the results about a component, which has a version: first
// those about exactly it, then those about all of its package or a range of
// versions, of which the reader decides whether they cover it. The error says
// why these are not shown to be all that the log has.
func (r *Report) Component(p purl.Purl) (exact, wider []*Result, err error) {
	if r.Err != nil {
		return nil, nil, r.Err
	}
	if s := r.Subject(p.Component()); s != nil && p.HasVersion() {
		for _, i := range s.Results {
			exact = append(exact, &r.Results[i])
		}
		err = s.incomplete()
	} else {
		err = fmt.Errorf("%s: %w", p.Component(), errNotShown)
	}
	s := r.Subject(p.Package())
	if s == nil {
		return exact, nil, errors.Join(err, fmt.Errorf("%s: %w", p.Package(), errNotShown))
	}
	for _, i := range s.Results {
		if wide(r.Results[i].Entry, s.Data) {
			wider = append(wider, &r.Results[i])
		}
	}
	return exact, wider, errors.Join(err, s.incomplete())
}

var errNotShown = errors.New("the bundle does not show what the log has about it")

func (s *Subject) incomplete() error {
	if s.Incomplete == "" {
		return nil
	}
	return fmt.Errorf("%s: %s", s.Data, s.Incomplete)
}

// wide reports whether an attestation is about a package as a whole, or a range
// of its versions.
func wide(e *entry.Entry, pkg string) bool {
	return slices.ContainsFunc(e.Subjects, func(s entry.Subject) bool {
		return !s.Purl.HasVersion() && s.Purl.Package() == pkg
	})
}

// subject is one that is being judged.
type subject struct {
	*Subject
	index map[Hash]uint64 // of its events, by id; nil if they are not shown
	about map[Hash]*known // what is known to be about it
}

// known is an attestation of which the bundle shows what it is about.
type known struct {
	*entry.Entry
	result int // in Report.Results; -1: it is opened only
	listed bool
}

// loadSubjects verifies what the bundle shows about subjects: step 11.
func (v *verifier) loadSubjects() error {
	subjects := map[mapfn.Place]*subject{}
	v.report.Subjects, v.report.byData = make([]Subject, len(v.b.Subjects)), map[string]int{}
	for i := range v.b.Subjects {
		s := &subject{Subject: &v.report.Subjects[i], about: map[Hash]*known{}}
		if err := v.loadSubject(&v.b.Subjects[i], s); err != nil {
			return fmt.Errorf("subject %d: %w", i, err)
		}
		if subjects[s.Place] != nil {
			return fmt.Errorf("subject %d: stands twice in the bundle", i)
		}
		subjects[s.Place], v.report.byData[s.Data] = s, i
	}
	all, err := v.known()
	if err != nil {
		return err
	}
	for _, k := range all {
		if err := k.enter(subjects); err != nil {
			return err
		}
	}
	for i := range v.report.Subjects {
		if err := v.list(subjects[v.report.Subjects[i].Place], all); err != nil {
			return err
		}
	}
	// SPEC: an opened attestation that no list names fails the file.
	for id, k := range all {
		if k.result < 0 && !k.listed {
			return fmt.Errorf("att:%x is opened, and no event list of the bundle names it", id)
		}
	}
	return nil
}

// loadSubject verifies the record of a subject, or its absence, and its events.
func (v *verifier) loadSubject(b *bundle.Subject, s *subject) error {
	var ok bool
	if s.Place, ok = mapfn.PlaceOf(b.Name); !ok {
		return fmt.Errorf("%.120q is no component, package or digest", b.Name)
	}
	if b.Record == nil {
		p, err := statusmap.ParseProof(b.Proof)
		if err != nil {
			return err
		}
		if b.Events != nil {
			return errors.New("events of a list that is absent")
		}
		s.index = map[Hash]uint64{}
		return p.VerifyAbsent(v.seal.MapRoot, statusmap.Key(byte(s.NS), []byte(s.Data)))
	}
	if err := v.present(s.NS, []byte(s.Data), b.Record, b.Proof); err != nil {
		return err
	}
	record, err := mapfn.ParseList(b.Record)
	if err != nil {
		return err
	}
	s.Count = record.Count
	if b.Events == nil {
		return nil
	}
	if s.Events, err = record.ParseEvents(b.Events); err != nil {
		return err
	}
	s.index = make(map[Hash]uint64, len(s.Events))
	for i, e := range s.Events {
		if _, twice := s.index[e.ID]; twice || i > 0 && e.Index <= s.Events[i-1].Index {
			return fmt.Errorf("event %d of its list stands twice or out of order", e.Index)
		}
		s.index[e.ID] = e.Index
	}
	return nil
}

// known returns the attestations that the map has accepted, and those that are
// opened, by id.
func (v *verifier) known() (map[Hash]*known, error) {
	all := map[Hash]*known{}
	for i, r := range v.report.Results {
		if r.Verdict != Invalid && r.Verdict != NotLogged {
			all[r.Entry.ID] = &known{Entry: r.Entry, result: i}
		}
	}
	for i, o := range v.b.Opened {
		e, err := entry.Open(o.Payload, Hash(o.KeyID))
		switch {
		case err != nil:
			return nil, fmt.Errorf("opened %d: %w", i, err)
		case e.Kind != entry.KindAttestation:
			return nil, fmt.Errorf("opened %d: it is a %s, not an attestation", i, e.Kind)
		case all[e.ID] != nil:
			return nil, fmt.Errorf("opened %d: stands twice in the bundle", i)
		}
		all[e.ID] = &known{Entry: e, result: -1}
	}
	return all, nil
}

// enter notes k with the subjects that it is about.
//
// SPEC: an accepted attestation, and an opened one, is in the list of each
// subject that it is about, at its index.
func (k *known) enter(subjects map[mapfn.Place]*subject) error {
	for _, p := range mapfn.Places(k.Subjects) {
		s := subjects[p]
		if s == nil {
			continue
		}
		s.about[k.ID] = k
		if s.index == nil {
			continue
		}
		if _, ok := s.index[k.ID]; !ok {
			return fmt.Errorf("att:%x is about %s, and the map's list does not have it", k.ID, s.Data)
		}
		k.listed = true
	}
	return nil
}

// list goes through the events of s, and says whether it is complete.
func (v *verifier) list(s *subject, all map[Hash]*known) error {
	if s.index == nil {
		s.Incomplete = fmt.Sprintf("the bundle does not show which %d attestations the log has", s.Count)
		return nil
	}
	missing := 0
	for _, e := range s.Events {
		if e.Kind != mapfn.EventIssue {
			s.Incomplete = fmt.Sprintf("event %d of its list is of a kind, %d, that this version does not know", e.Index, e.Kind)
			continue
		}
		k := s.about[e.ID]
		switch {
		// SPEC: and in no other.
		case k == nil && all[e.ID] != nil:
			return fmt.Errorf("att:%x is not about %s, and the map's list has it", e.ID, s.Data)
		case k == nil:
			missing++
		case k.result < 0:
			s.Opened = append(s.Opened, k.Entry)
			if s.NS != mapfn.NSPackage || wide(k.Entry, s.Data) {
				missing++
			}
		case v.report.Results[k.result].Index != e.Index:
			return fmt.Errorf("att:%x is at index %d, and the list of %s says %d", e.ID, v.report.Results[k.result].Index, s.Data, e.Index)
		default:
			s.Results = append(s.Results, k.result)
		}
	}
	if missing > 0 {
		s.Incomplete = fmt.Sprintf("the bundle does not show how %d of the %d attestations stand that the log has", missing, s.Count)
	}
	return nil
}
