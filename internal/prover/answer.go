package prover

import (
	"bytes"
	"errors"
	"slices"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/statusmap"
)

// Answer returns a bundle that shows all that the log has about the first n
// subjects, as many of them as fit; n is at least 1. A subject is
//
//   - a purl with version: judged is what is about this component, and what is
//     about its package as a whole or a range of versions. What is about other
//     versions is opened only;
//   - a purl without version, or a digest: judged is all that is about it.
//
// The successors of what is judged are judged, too. Where a list does not even
// fit into a bundle of its own, the bundle does not have it, and a reader finds
// the subject incomplete.
func (s *State) Answer(subjects ...string) (file []byte, n int, err error) {
	return s.AnswerWithin(bundle.MaxSize, subjects...)
}

// AnswerWithin is Answer with a bundle of at most max bytes.
func (s *State) AnswerWithin(max int, subjects ...string) (file []byte, n int, err error) {
	if len(subjects) == 0 {
		return nil, 0, reason.Errorf(reason.RequestMalformed, "an answer is about at least one subject")
	}
	m := s.newMaker(max)
	for n < len(subjects) {
		before := m.mark()
		err := m.subject(subjects[n], n == 0)
		if full(err) && n > 0 {
			m.undo(before)
			break
		}
		if err != nil {
			return nil, 0, err
		}
		n++
	}
	m.close()
	file, err = m.marshal()
	return file, n, err
}

func full(err error) bool { return errors.Is(err, errTooLarge) || errors.Is(err, errTooMany) }

// subject adds what there is about a subject. If alone, it leaves out lists that
// are too long.
func (m *maker) subject(subject string, alone bool) error {
	at, err := place(subject)
	if err != nil {
		return err
	}
	if err := m.place(at, m.judge, partJudged, alone); err != nil || at.NS != mapfn.NSComponent {
		return err
	}
	p, err := purl.Parse(at.Data)
	if err != nil {
		return err
	}
	at = mapfn.Place{NS: mapfn.NSPackage, Data: p.Package()}
	return m.place(at, func(e mapfn.Event) error { return m.open(e, at.Data) }, partListed, alone)
}

// place adds the record of a place with its event list, and calls each for each
// event, unless a call of that kind, or of the one that does more, was made.
func (m *maker) place(at mapfn.Place, each func(mapfn.Event) error, kind byte, alone bool) error {
	key := statusmap.Key(byte(at.NS), []byte(at.Data))
	if m.have[part{partJudged, key}] || !m.once(part{kind, key}) {
		return nil
	}
	i, err := m.item(at, key)
	if err != nil || m.b.Subjects[i].Record == nil {
		return err
	}
	before := m.mark()
	if err := m.list(at, i, each); !full(err) || !alone {
		return err
	}
	m.undo(before)
	return nil
}

// item adds the record of a place, once, and returns where it stands.
func (m *maker) item(at mapfn.Place, key Hash) (int, error) {
	if !m.once(part{byte(at.NS), key}) {
		return slices.IndexFunc(m.b.Subjects, func(s bundle.Subject) bool { return s.Name == at.Data }), nil
	}
	if len(m.b.Subjects) == bundle.MaxItems {
		return 0, errTooLarge
	}
	record, p, err := m.record(at.NS, []byte(at.Data))
	if err != nil {
		return 0, err
	}
	m.b.Subjects = append(m.b.Subjects, bundle.Subject{Name: at.Data, Record: record, Proof: p})
	return len(m.b.Subjects) - 1, m.take(cost(len(at.Data)+len(record), len(p)))
}

// list goes through the event list of subject i, and shows it.
func (m *maker) list(at mapfn.Place, i int, each func(mapfn.Event) error) error {
	l, err := mapfn.ParseList(m.b.Subjects[i].Record)
	if err != nil {
		return err
	}
	if l.Count > bundle.MaxAttestations+bundle.MaxItems {
		return errTooLarge
	}
	events, err := m.Map.Events(at.NS, []byte(at.Data), 0, l.Count)
	if err != nil {
		return err
	}
	var list []byte
	for _, e := range events {
		list = e.Append(list)
		// What else a later map function may list, a reader finds incomplete.
		if e.Kind != mapfn.EventIssue {
			continue
		}
		if err := each(e); err != nil {
			return err
		}
	}
	if m.b.Subjects[i].Events != nil {
		return nil
	}
	if err := m.take(cost(0, len(list))); err != nil {
		return err
	}
	m.b.Subjects[i].Events = list
	return nil
}

// judge adds an attestation and its successors.
func (m *maker) judge(e mapfn.Event) error {
	for id := e.ID; !m.have[part{byte(mapfn.NSAttestation), id}]; {
		r, err := m.attestation(id)
		if err != nil || r.Successor == nil {
			return err
		}
		id = Hash(*r.Successor)
	}
	return nil
}

// open shows what an attestation is about, and judges it if that is all of the
// package or a range of versions.
func (m *maker) open(event mapfn.Event, pkg string) error {
	if m.have[part{byte(mapfn.NSAttestation), event.ID}] {
		return nil
	}
	leaves, err := m.p.backend.Leaves(m.ctx, event.Index, 1)
	if err != nil {
		return err
	}
	payload, keyID, id, err := entry.Split(leaves[0])
	// What an event commits to needs no path.
	if err != nil || id != event.ID {
		return damaged("leaf %d is not att:%x: %v", event.Index, event.ID, err)
	}
	wide, err := wide(payload, keyID, pkg)
	if err != nil {
		return damaged("leaf %d: %w", event.Index, err)
	}
	if wide {
		return m.judge(event)
	}
	if !m.once(part{partOpened, event.ID}) {
		return nil
	}
	if len(m.b.Opened) == bundle.MaxItems {
		return errTooLarge
	}
	m.b.Opened = append(m.b.Opened, bundle.Opened{KeyID: bundle.ID(keyID), Payload: payload})
	return m.take(cost(2*len(keyID), len(payload)))
}

// wide reports whether an attestation is about a package as a whole or a range
// of its versions.
func wide(payload []byte, keyID Hash, pkg string) (bool, error) {
	// Such a subject has a scope, and few attestations have any. Without an
	// escape, scopes are spelt so.
	if !bytes.Contains(payload, []byte("scopes")) && bytes.IndexByte(payload, '\\') < 0 {
		return false, nil
	}
	e, err := entry.Open(payload, keyID)
	return err == nil && slices.ContainsFunc(e.Subjects, func(s entry.Subject) bool {
		return !s.Purl.HasVersion() && s.Purl.Package() == pkg
	}), err
}

// close takes out what was opened first and judged then.
func (m *maker) close() {
	kept := make(bundle.List[bundle.Opened], 0, len(m.b.Opened))
	i := 0
	for _, p := range m.order {
		if p.kind != partOpened {
			continue
		}
		if !m.have[part{byte(mapfn.NSAttestation), p.id}] {
			kept = append(kept, m.b.Opened[i])
		}
		i++
	}
	m.b.Opened = kept
}
