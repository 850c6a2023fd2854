package verify_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/verify"
)

// release is a package of which releases attests three versions, and a range.
const release = "pkg:generic/release"

func (s *scene) releases() {
	key := s.steward.Keys[0]
	for _, v := range []string{"1.0", "2.0", "3.0"} {
		e := testlog.Attest(key, testlog.Claims(s.Origin, s.Unix(), 2), testlog.Component(release+"@"+v))
		s.Submit(e)
		s.att["release "+v] = e
	}
	a := testlog.Claims(s.Origin, s.Unix(), 2)
	a.Scopes = []entry.Scope{{Purl: release, Vers: "vers:generic/<3.0"}}
	s.att["range of releases"] = testlog.Attest(key, a, a.Scopes[0].Subject())
	s.Submit(s.att["range of releases"])
}

// answer returns the one bundle about the subjects.
func (s *scene) answer(subjects ...string) []byte {
	s.t.Helper()
	state := s.State()
	defer state.Close()
	file, n, err := state.Answer(subjects...)
	if err != nil || n != len(subjects) {
		s.t.Fatalf("an answer about %d of %d subjects: %v", n, len(subjects), err)
	}
	return file
}

// TestComponent asks what is about a component: nothing that a bundle does not
// show is taken not to be.
func TestComponent(t *testing.T) {
	s := newScene(t, origin)
	s.releases()
	all := s.answer(release+"@1.0", "pkg:generic/none@1.0")
	without := func(data string) []byte {
		return change(t, all, func(b *bundle.Bundle) {
			for i := range b.Subjects {
				if b.Subjects[i].Name == data {
					b.Subjects = append(b.Subjects[:i:i], b.Subjects[i+1:]...)
					break
				}
			}
			if data == release {
				b.Opened = nil
			}
		})
	}
	stale := s.Reader()
	stale.Now = stale.Now.Add(2 * day)
	for _, tt := range []struct {
		name, component string
		file            []byte
		exact, wider    string // names of attestations
		err             string
	}{
		{"all", release + "@1.0", all, "release 1.0", "range of releases", ""},
		{"with qualifiers", release + "@1.0?arch=any", all, "release 1.0", "range of releases", ""},
		{"none", "pkg:generic/none@1.0", all, "", "", ""},
		{"another version", release + "@2.0", all, "", "range of releases", "does not show what the log has"},
		{"another component", "pkg:generic/active@1.0", all, "", "", "does not show what the log has"},
		{"no version", release, all, "", "range of releases", "does not show what the log has"},
		{"without the component", release + "@1.0", without(release + "@1.0"), "", "range of releases", "does not show what the log has"},
		{"without the package", release + "@1.0", without(release), "release 1.0", "", "does not show what the log has"},
		{"without an attestation", release + "@1.0", change(t, all, func(b *bundle.Bundle) { b.Attestations = b.Attestations[1:] }), "", "range of releases", "does not show how 1 of the 1"},
		{"without the range", release + "@1.0", change(t, all, func(b *bundle.Bundle) { b.Attestations = b.Attestations[:1] }), "release 1.0", "", "does not show how 1 of the 4"},
		{"without what is opened", release + "@1.0", change(t, all, func(b *bundle.Bundle) { b.Opened = nil }), "release 1.0", "range of releases", "does not show how 2 of the 4"},
		{"nothing", release + "@1.0", nil, "", "", "malformed"},
	} {
		p, err := purl.Parse(tt.component)
		if err != nil {
			t.Fatal(err)
		}
		r := verify.Bundle(tt.file, s.Reader())
		exact, wider, err := r.Component(p)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
		}
		if s.list(exact) != tt.exact || s.list(wider) != tt.wider {
			t.Errorf("%s: %s; %s", tt.name, s.list(exact), s.list(wider))
		}
		if tt.err != "" && tt.name != "another version" && tt.name != "another component" && tt.name != "no version" &&
			!strings.HasPrefix(tt.name, "without the component") && !strings.HasPrefix(tt.name, "without the package") && r.ExitCode(true) == 0 {
			t.Errorf("%s: exit code 0", tt.name)
		}
	}
}

// list returns the names of results.
func (s *scene) list(results []*verify.Result) string {
	var out []string
	for _, r := range results {
		for name, e := range s.att {
			if e.ID == r.Entry.ID {
				out = append(out, name)
			}
		}
	}
	return strings.Join(out, ", ")
}

// TestLyingMap looks at logs that seal maps which contradict what attestations
// say they are about.
func TestLyingMap(t *testing.T) {
	// listing is a list with one event.
	listing := func(data string, index uint64, kind mapfn.EventKind, id testnode.Hash) mapfn.Change {
		e := mapfn.Event{Index: index, Kind: kind, ID: id}
		root := testnode.Hash(rfc6962.DefaultHasher.HashLeaf(e.Append(nil)))
		p, ok := mapfn.PlaceOf(data)
		if !ok {
			t.Fatal(data)
		}
		return mapfn.Change{NS: p.NS, Data: []byte(data), Event: &e, Peaks: []testnode.Hash{root},
			Record: fmt.Appendf(nil, `{"v":1,"count":1,"last":%d,"root":"%x"}`, index, root)}
	}
	const data = "pkg:generic/secret@1.0"
	for _, tt := range []struct {
		name   string
		tamper func(s *scene, secret *entry.Entry, index uint64) []mapfn.Change
		judged string // of the scene, and the bundle
		want   verify.Verdict
		err    string
	}{
		{"an event of another kind", func(s *scene, secret *entry.Entry, index uint64) []mapfn.Change {
			return []mapfn.Change{listing(data, index, mapfn.EventEnrol, secret.ID)}
		}, "", verify.NoEvidence, ""},
		{"another's attestation in the list", func(s *scene, _ *entry.Entry, _ uint64) []mapfn.Change {
			return []mapfn.Change{listing(data, s.Record(s.att["active"].ID).Issued, mapfn.EventIssue, s.att["active"].ID)}
		}, "", verify.Invalid, "is not about"},
		{"another index in the list", func(s *scene, secret *entry.Entry, index uint64) []mapfn.Change {
			return []mapfn.Change{listing(data, index+1, mapfn.EventIssue, secret.ID), listing("pkg:generic/secret", index, mapfn.EventIssue, secret.ID), s.accepted(secret, index)}
		}, "", verify.Invalid, "and the list of"},
		{"accepted and in no list", func(s *scene, secret *entry.Entry, index uint64) []mapfn.Change {
			return []mapfn.Change{s.accepted(secret, index)}
		}, "secret", verify.Invalid, "the map's list does not have it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, origin)
			// The map function ignores it, for its key is retired.
			secret := s.make("secret", s.steward.Keys[2], nil)
			index, codes := s.Force(secret.Leaf)
			if codes[0] != reason.KeyNotActive {
				t.Fatal(codes)
			}
			s.att["secret"] = secret
			s.Tamper(tt.tamper(s, secret, index)...)
			file := s.answer(data)
			if tt.judged != "" {
				judged := parse(t, s.bundle(tt.judged))
				file = change(t, file, func(b *bundle.Bundle) {
					b.Attestations, b.Keys, b.Parties = judged.Attestations, judged.Keys, judged.Parties
				})
			}
			r := verify.Bundle(file, s.Reader())
			if r.Verdict != tt.want || (r.Err == nil) != (tt.err == "") || r.Err != nil && !strings.Contains(r.Err.Error(), tt.err) {
				t.Errorf("%v, %v; %+v", r.Verdict, r.Err, r.Subjects)
			}
		})
	}
}

// accepted is a record as if an attestation had been accepted.
func (s *scene) accepted(e *entry.Entry, index uint64) mapfn.Change {
	return mapfn.Change{NS: mapfn.NSAttestation, Data: e.ID[:], Record: fmt.Appendf(nil, `{"v":1,"state":"active","issued":%d,"leaf":"%x","last":%d,"key":"%x"}`,
		index, rfc6962.DefaultHasher.HashLeaf(e.Leaf), index, e.KeyID)}
}

// completenessVectors are those about subjects.
func completenessVectors(s *scene, v func(name string, file []byte, verdict, why string) vector) []vector {
	before := parse(s.t, s.answer("pkg:generic/active@1.0"))
	s.releases()
	early := parse(s.t, s.answer(release+"@1.0"))
	s.attest("later release", s.steward.Keys[0], nil)
	e := testlog.Attest(s.steward.Keys[0], testlog.Claims(s.Origin, s.Unix(), 3), testlog.Component(release+"@1.0"))
	s.Submit(e)
	s.Submit(testlog.Revoke(s.Origin, 3, s.steward.Keys[0], e.ID))
	all, none := s.answer(release+"@1.0"), s.answer("pkg:generic/none@1.0")
	edit := func(f func(*bundle.Bundle)) []byte { return change(s.t, all, f) }
	other := parse(s.t, s.answer("pkg:generic/of-another@1.0"))
	absent := parse(s.t, none)
	late := func(x vector) vector { x.Now += 86401; return x }
	return []vector{
		v("all-of-a-component", all, "REVOKED", "one is revoked, one stands, and so does one of a range of versions; of two versions it is only shown that they are others"),
		v("all-stand", s.answer("pkg:generic/of-another@1.0"), "ACTIVE", "the one attestation about it"),
		v("all-of-a-package", s.answer(release), "REVOKED", "in all versions"),
		v("all-of-a-digest", s.answer("sha256:"+s.att["active"].Subjects[0].Digest), "ACTIVE", "about one artifact"),
		v("none", none, "NONE", "neither the component nor its package"),
		v("none-of-this-version", s.answer("pkg:generic/of-another@9.0"), "NONE", "only another version"),
		late(v("none-stale", none, "STALE", "a day and a second later")),
		v("list-not-shown", change(s.t, s.answer("pkg:generic/of-another@9.0"), func(b *bundle.Bundle) { b.Subjects[1].Events, b.Opened = nil, nil }), "NO_EVIDENCE", "what the log has about other versions, or ranges of them, is not shown"),
		v("list-not-shown-revoked", edit(func(b *bundle.Bundle) { b.Subjects[1].Events, b.Opened = nil, nil }), "REVOKED", "bad news is not taken away"),
		v("not-all-opened", change(s.t, s.answer("pkg:generic/of-another@9.0"), func(b *bundle.Bundle) { b.Opened = nil }), "NO_EVIDENCE", "an event of which is not shown what it is about"),
		v("range-opened-only", change(s.t, s.answer(release+"@9.0"), func(b *bundle.Bundle) {
			e := s.att["range of releases"]
			b.Opened = append(b.Opened, bundle.Opened{KeyID: bundle.ID(e.KeyID), Payload: e.Payload})
			b.Attestations, b.Keys, b.Parties = bundle.List[bundle.Attestation]{}, bundle.List[bundle.Key]{}, bundle.List[bundle.Party]{}
		}), "NO_EVIDENCE", "a range of versions, of which is not shown how it stands"),
		v("component-opened-only", change(s.t, s.answer("pkg:generic/of-another@1.0"), func(b *bundle.Bundle) {
			e := s.att["of another"]
			b.Opened = bundle.List[bundle.Opened]{{KeyID: bundle.ID(e.KeyID), Payload: e.Payload}}
			b.Attestations, b.Keys, b.Parties = bundle.List[bundle.Attestation]{}, bundle.List[bundle.Key]{}, bundle.List[bundle.Party]{}
		}), "NO_EVIDENCE", "an attestation about the component, of which is not shown how it stands"),

		v("dropped-event", edit(func(b *bundle.Bundle) { b.Subjects[1].Events = b.Subjects[1].Events[mapfn.EventSize:] }), "INVALID", "a list without its first event"),
		v("truncated-list", edit(func(b *bundle.Bundle) {
			b.Subjects[0].Events = b.Subjects[0].Events[:mapfn.EventSize]
		}), "INVALID", "a list without its last event, which is the revoked one"),
		v("cut-event", edit(func(b *bundle.Bundle) { b.Subjects[0].Events = b.Subjects[0].Events[:len(b.Subjects[0].Events)-1] }), "INVALID", "half an event"),
		v("shorter-record", edit(func(b *bundle.Bundle) {
			b.Subjects[0].Record, b.Subjects[0].Events = early.Subjects[0].Record, early.Subjects[0].Events
		}), "INVALID", "the record and list of before, under the checkpoint of after"),
		v("hidden-newer-event", edit(func(b *bundle.Bundle) { b.Subjects[0] = early.Subjects[0] }), "INVALID", "and the proof of before"),
		v("swapped-lists", edit(func(b *bundle.Bundle) {
			b.Subjects[0].Events, b.Subjects[1].Events = b.Subjects[1].Events, b.Subjects[0].Events
		}), "INVALID", "the list of the package for that of the component"),
		v("list-out-of-order", edit(func(b *bundle.Bundle) {
			l := b.Subjects[0].Events
			b.Subjects[0].Events = append(bytes.Clone(l[mapfn.EventSize:]), l[:mapfn.EventSize]...)
		}), "INVALID", "the same events in another order"),
		v("another-subjects-record", edit(func(b *bundle.Bundle) {
			name := b.Subjects[0].Name
			b.Subjects[0] = other.Subjects[0]
			b.Subjects[0].Name = name
		}), "INVALID", "the record of another component, with its list and proof"),
		v("absence-of-another", edit(func(b *bundle.Bundle) {
			b.Subjects[0].Record, b.Subjects[0].Events, b.Subjects[0].Proof = nil, nil, absent.Subjects[0].Proof
		}), "INVALID", "the proof that another component is absent"),
		v("absence-of-before", edit(func(b *bundle.Bundle) {
			b.Subjects[0].Record, b.Subjects[0].Events, b.Subjects[0].Proof = nil, nil, before.Subjects[0].Proof
		}), "INVALID", "a proof of before"),
		v("absence-with-events", change(s.t, none, func(b *bundle.Bundle) { b.Subjects[0].Events = early.Subjects[0].Events }), "INVALID", "events of a list that is absent"),
		v("opened-not-listed", edit(func(b *bundle.Bundle) {
			e := s.att["of another"]
			b.Opened = append(b.Opened, bundle.Opened{KeyID: bundle.ID(e.KeyID), Payload: e.Payload})
		}), "INVALID", "an opened attestation that no list names"),
		v("opened-twice", edit(func(b *bundle.Bundle) { b.Opened = append(b.Opened, b.Opened[0]) }), "INVALID", "one opened attestation twice"),
		v("opened-and-judged", edit(func(b *bundle.Bundle) {
			b.Opened = append(b.Opened, bundle.Opened{KeyID: bundle.ID(e.KeyID), Payload: e.Payload})
		}), "INVALID", "an opened attestation that is among the others"),
		v("opened-by-another", edit(func(b *bundle.Bundle) { b.Opened[0].KeyID = bundle.ID(s.other.Keys[0].ID()) }), "INVALID", "the same statement by another key has another id"),
		v("opened-with-another-subject", edit(func(b *bundle.Bundle) {
			b.Opened[0].Payload = bytes.Replace(b.Opened[0].Payload, []byte("release@2.0"), []byte("release@9.0"), 1)
		}), "INVALID", "another version in it has another id"),
		v("opened-no-attestation", edit(func(b *bundle.Bundle) {
			b.Opened = append(b.Opened, bundle.Opened{KeyID: bundle.ID(s.published.KeyID), Payload: s.published.Payload})
		}), "INVALID", "an opened event of another kind"),
		v("subject-twice", edit(func(b *bundle.Bundle) { b.Subjects = append(b.Subjects, b.Subjects[0]) }), "INVALID", "one subject twice"),
		v("subject-with-qualifiers", edit(func(b *bundle.Bundle) { b.Subjects[0].Name += "?arch=any" }), "INVALID", "a name that the map has no key of"),
		v("no-subject", edit(func(b *bundle.Bundle) {
			b.Attestations, b.Keys, b.Parties = bundle.List[bundle.Attestation]{}, bundle.List[bundle.Key]{}, bundle.List[bundle.Party]{}
			b.Subjects, b.Opened, b.Causes = nil, nil, nil
		}), "INVALID", "neither attestations nor subjects"),
	}
}
