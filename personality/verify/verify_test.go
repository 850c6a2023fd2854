package verify_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

const origin = "log.example/verify"

// TestVerdicts reads the bundle of each attestation of the scene, now and
// later. The verdicts listed are all that apply, the deciding one first.
func TestVerdicts(t *testing.T) {
	s := newScene(t, origin)
	type verdicts = []verify.Verdict
	active := verdicts{}
	for _, tt := range []struct {
		name  string
		after time.Duration
		want  verdicts
	}{
		{"active", 0, active},
		{"active", day, active},
		{"active", day + time.Second, verdicts{verify.Stale}},
		{"revoked", 0, verdicts{verify.Revoked}},
		{"revoked", 2 * day, verdicts{verify.Revoked, verify.Stale}},
		{"held", 0, verdicts{verify.Suspended}},
		{"held", 30*day - time.Second, verdicts{verify.Suspended, verify.Stale}},
		{"held", 30 * day, verdicts{verify.Lapsed, verify.Stale}},
		{"lapsed", time.Hour - time.Second, verdicts{verify.Suspended}},
		{"lapsed", time.Hour, verdicts{verify.Lapsed}},
		{"superseded", 0, verdicts{verify.Superseded}},
		{"successor", 0, active},
		{"reinstated", 0, active},
		{"expired", time.Hour - time.Second, active},
		{"expired", time.Hour, verdicts{verify.Expired}},
		{"early", 0, verdicts{verify.Expired}},
		{"early", 10 * day, verdicts{verify.Stale}},
		{"before cutoff", 0, active},
		{"void", 0, verdicts{verify.KeyVoid}},
		{"by retired key", 0, active},
		{"void and revoked", 0, verdicts{verify.Revoked, verify.KeyVoid}},
		{"void and revoked", 500 * day, verdicts{verify.Revoked, verify.KeyVoid, verify.Expired, verify.Stale}},
		{"of ended party", 0, active},
		{"of another", 0, active},
		{"partial", 0, verdicts{verify.Partial}},
		{"partial", 500 * day, verdicts{verify.Partial, verify.Expired, verify.Stale}},
		{"partial and reinstated", 0, verdicts{verify.Partial}},
		{"partial and superseded", 0, verdicts{verify.Superseded, verify.Partial}},
		{"partial and held", 0, verdicts{verify.Suspended, verify.Partial}},
		{"partial and held", 30 * day, verdicts{verify.Lapsed, verify.Partial, verify.Stale}},
		{"in range", 0, verdicts{verify.Revoked}},
		{"behind the range", 0, active},
		{"in range of its package", 0, verdicts{verify.Revoked}},
		{"of another package", 0, active},
		{"under a programme", 0, active},
		{"withdrawn by the operator", 0, verdicts{verify.Revoked}},
	} {
		o := s.Reader()
		o.Now = o.Now.Add(tt.after)
		r := judge(t, s.bundle(tt.name), o)
		var got verdicts
		for _, c := range r.Causes {
			got = append(got, c.Verdict)
		}
		want := verify.Active
		if len(tt.want) > 0 {
			want = tt.want[0]
		}
		if !slices.Equal(got, tt.want) || r.Verdict != want {
			t.Errorf("%s after %s: %v, causes %v; want %v", tt.name, tt.after, r.Verdict, got, tt.want)
		}
		if r.PartyEnded != (tt.name == "of ended party") {
			t.Errorf("%s: party ended %t", tt.name, r.PartyEnded)
		}
	}
}

// TestEvents checks the entries that a report shows behind its verdicts.
func TestEvents(t *testing.T) {
	s := newScene(t, origin)
	for name, want := range map[string][]entry.Kind{
		"revoked": {entry.KindRevocation}, "held": {entry.KindRevocation}, "superseded": {entry.KindAttestation},
		"void": {entry.KindKey}, "void and revoked": {entry.KindRevocation, entry.KindKey}, "active": nil,
		"partial": {entry.KindRevocation}, "partial and held": {"", entry.KindRevocation}, "partial and superseded": {entry.KindAttestation, ""},
		// The last event of the record, a reinstatement, is behind nothing.
		"partial and reinstated": {""},
		// A later range of the same key is behind nothing here.
		"in range": {""}, "in range of its package": {entry.KindKey}, "withdrawn by the operator": {entry.KindRevocation},
	} {
		r := judge(t, s.bundle(name), s.Reader())
		var got []entry.Kind
		for _, c := range r.Causes {
			var kind entry.Kind
			if c.Event != nil {
				kind = c.Event.Kind
			}
			got = append(got, kind)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: events %v, want %v", name, got, want)
		}
	}
}

// TestReport checks what else a report says.
func TestReport(t *testing.T) {
	s := newScene(t, origin)
	r := verify.Bundle(s.bundle("before cutoff"), s.Reader())
	if r.Origin != origin || !r.Witnessed || !r.AsOf.Equal(s.Now()) || !slices.Equal(r.Cosigners, []string{"w1"}) {
		t.Errorf("origin %s, witnessed %t, as of %s, cosigners %v", r.Origin, r.Witnessed, r.AsOf, r.Cosigners)
	}
	a := r.Results[0]
	if a.ID != s.att["before cutoff"].IDString() || a.PartyName != s.steward.Name || a.KeyState != mapfn.StateCompromised ||
		a.Index != s.Record(s.att["before cutoff"].ID).Issued || !slices.Equal(a.PartyRoles, s.steward.Roles) {
		t.Errorf("result %+v", a)
	}
}

// TestNotLogged checks absence, and that inclusion is no substitute for it.
func TestNotLogged(t *testing.T) {
	s := newScene(t, origin)
	never := s.make("never", s.steward.Keys[0], nil)
	ignored := s.make("ignored", s.steward.Keys[2], nil) // a retired key's
	index, codes := s.Force(ignored.Leaf)
	if codes[0] != "key-not-active" {
		t.Fatalf("leaf has effect: %q", codes[0])
	}
	for name, file := range map[string][]byte{
		"never submitted": s.absent(never, "active"),
		"ignored":         s.absent(ignored, "by retired key"),
	} {
		r := verify.Bundle(file, s.Reader())
		if r.Err != nil || r.Verdict != verify.NotLogged {
			t.Errorf("%s: %v, %v", name, r.Verdict, r.Err)
		}
	}
	path := s.path(index)
	record := parse(t, s.bundle("by retired key")).Attestations[0]
	for name, f := range map[string]func(*bundle.Attestation){
		"a perfect inclusion proof beside absence": func(a *bundle.Attestation) { a.Path = path },
		"inclusion alone":                          func(a *bundle.Attestation) { a.Path, a.Proof = path, nil },
		"another's record":                         func(a *bundle.Attestation) { a.Path, a.Record, a.Proof = path, record.Record, record.Proof },
	} {
		file := change(t, s.absent(ignored, "by retired key"), func(b *bundle.Bundle) { f(&b.Attestations[0]) })
		if r := verify.Bundle(file, s.Reader()); r.Verdict != verify.Invalid {
			t.Errorf("%s: %v", name, r.Verdict)
		}
	}
	// Absence is of the map of this seal: what is there cannot be denied.
	there := s.absent(never, "active")
	file := change(t, there, func(b *bundle.Bundle) { b.Attestations[0].Entry = s.att["revoked"].Leaf })
	if r := verify.Bundle(file, s.Reader()); r.Verdict != verify.Invalid {
		t.Errorf("absence of what is there: %v", r.Verdict)
	}
}

// TestMapFunction checks that an unknown map function says nothing.
func TestMapFunction(t *testing.T) {
	s := newScene(t, origin)
	b := parse(t, s.bundle("active"))
	s.reseal(b, strings.Replace(b.Seal.Leaf, "\n1\n", "\n2\n", 1), 1)
	r := verify.Bundle(write(t, b), s.Reader())
	if r.Verdict != verify.NoEvidence || r.Err == nil {
		t.Errorf("%v, %v", r.Verdict, r.Err)
	}
}

// TestRollback checks what a reader has seen before.
func TestRollback(t *testing.T) {
	s := newScene(t, origin)
	file := s.bundle("active")
	now := verify.Bundle(file, s.Reader())
	for name, tt := range map[string]struct {
		seen trust.Body
		want verify.Verdict
	}{
		"the same":       {trust.Body{Size: now.Size, Root: now.Root}, verify.Active},
		"smaller":        {trust.Body{Size: now.Size - 1}, verify.Active},
		"larger":         {trust.Body{Size: now.Size + 1, Root: now.Root}, verify.Rollback},
		"another, equal": {trust.Body{Size: now.Size, Root: [32]byte{1}}, verify.Rollback},
	} {
		o := s.Reader()
		o.Seen = map[string]trust.Body{origin: tt.seen}
		if r := verify.Bundle(file, o); r.Verdict != tt.want {
			t.Errorf("%s: %v, want %v", name, r.Verdict, tt.want)
		}
		o.Seen = map[string]trust.Body{"another.example/log": tt.seen}
		if r := verify.Bundle(file, o); r.Verdict != verify.Active {
			t.Errorf("another log's, %s: %v", name, r.Verdict)
		}
	}
}

// TestUnwitnessed checks "quorum none": never more than the log's own word.
func TestUnwitnessed(t *testing.T) {
	s := newScene(t, origin)
	sealed := s.Now()
	s.Advance(20 * time.Hour)
	s.Refresh() // the seal stays as old as it is
	file := s.bundle("active")
	o := s.Reader()
	o.Policy = s.policy("quorum none\n")
	r := verify.Bundle(file, o)
	if r.Witnessed || r.Verdict != verify.Active || !r.AsOf.Equal(sealed) {
		t.Errorf("witnessed %t, %v as of %s, sealed at %s", r.Witnessed, r.Verdict, r.AsOf, sealed)
	}
	if r.ExitCode(false) != 3 || r.ExitCode(true) != 0 {
		t.Errorf("exit codes %d, %d", r.ExitCode(false), r.ExitCode(true))
	}
	for name, tt := range map[string]struct {
		now  time.Time
		want verify.Verdict
	}{
		"old":                 {sealed.Add(day + time.Second), verify.Stale},
		"a little ahead":      {sealed.Add(-trust.MaxSkew), verify.Active},
		"far ahead":           {sealed.Add(-trust.MaxSkew - time.Second), verify.Stale},
		"witnessed by nobody": {sealed, verify.Active},
	} {
		o.Now = tt.now
		if r := verify.Bundle(file, o); r.Verdict != tt.want {
			t.Errorf("%s: %v, want %v", name, r.Verdict, tt.want)
		}
	}
}

// TestQuorum checks that cosignatures are needed, and whose clock counts.
func TestQuorum(t *testing.T) {
	s := newScene(t, origin)
	file := s.bundle("active")
	bare := change(t, file, func(b *bundle.Bundle) {
		i := strings.LastIndex(strings.TrimSuffix(b.Checkpoint, "\n"), "\n")
		b.Checkpoint = b.Checkpoint[:i+1]
	})
	o := s.Reader()
	if r := verify.Bundle(bare, o); r.Verdict != verify.Invalid {
		t.Errorf("without cosignature: %v", r.Verdict)
	}
	o.Now = o.Now.Add(-time.Hour)
	if r := verify.Bundle(file, o); r.Verdict != verify.NoEvidence {
		t.Errorf("cosigned in the future: %v", r.Verdict)
	}
	if r := verify.Bundle(bare, o); r.Verdict != verify.Invalid {
		t.Errorf("without cosignature, the clock being slow: %v", r.Verdict)
	}
	o.Policy = nil
	if r := verify.Bundle(file, o); r.Verdict != verify.Invalid {
		t.Errorf("without trust file: %v", r.Verdict)
	}
	o = s.Reader()
	o.MaxAge = time.Minute
	o.Now = o.Now.Add(2 * time.Minute)
	if r := verify.Bundle(file, o); r.Verdict != verify.Stale {
		t.Errorf("older than the reader's maximum age: %v", r.Verdict)
	}
}

// TestMany checks bundles of several attestations: shared parts, one verdict
// each, the worst of them for the whole.
func TestMany(t *testing.T) {
	s := newScene(t, origin)
	names := []string{"active", "revoked", "void", "before cutoff", "of another", "superseded", "successor", "void and revoked"}
	file := s.bundle(names...)
	b := parse(t, file)
	if len(b.Keys) != 4 || len(b.Parties) != 2 || len(b.Causes) != 5 {
		t.Errorf("%d keys, %d parties, %d causes", len(b.Keys), len(b.Parties), len(b.Causes))
	}
	r := verify.Bundle(file, s.Reader())
	if r.Err != nil || r.Verdict != verify.Revoked || len(r.Results) != len(names) {
		t.Fatalf("%v of %d results, %v", r.Verdict, len(r.Results), r.Err)
	}
	want := []verify.Verdict{verify.Active, verify.Revoked, verify.KeyVoid, verify.Active, verify.Active, verify.Superseded, verify.Active, verify.Revoked}
	for i, a := range r.Results {
		if a.ID != s.att[names[i]].IDString() || a.Verdict != want[i] {
			t.Errorf("%s: %s %v, want %v", names[i], a.ID, a.Verdict, want[i])
		}
	}
	// What one attestation lacks is not another's fault.
	b.Attestations[1].Path[0][0] ^= 1
	r = verify.Bundle(write(t, b), s.Reader())
	if r.Err != nil || r.Verdict != verify.Invalid || r.Results[0].Verdict != verify.Active || r.Results[1].Verdict != verify.Invalid {
		t.Errorf("one broken path: %v, %v", r.Verdict, r.Err)
	}
}

// TestExitCodes pins the codes.
func TestExitCodes(t *testing.T) {
	want := map[verify.Verdict]int{
		verify.Invalid: 4, verify.Rollback: 4, verify.NoEvidence: 3, verify.NotLogged: 1, verify.Revoked: 1, verify.KeyVoid: 1,
		verify.Superseded: 1, verify.Lapsed: 1, verify.Suspended: 1, verify.Partial: 1, verify.Expired: 1, verify.Stale: 3, verify.Active: 0, verify.None: 0,
	}
	names := map[string]bool{}
	for v := verify.Invalid; v <= verify.None; v++ {
		if v.ExitCode() != want[v] {
			t.Errorf("%v: exit code %d, want %d", v, v.ExitCode(), want[v])
		}
		names[v.String()] = true
		for _, witnessed := range []bool{false, true} {
			code := want[v]
			if code == 0 && !witnessed {
				code = 3
			}
			if r := (verify.Report{Verdict: v, Witnessed: witnessed}); r.ExitCode(false) != code || r.ExitCode(true) != want[v] {
				t.Errorf("%v, witnessed %t: exit codes %d, %d", v, witnessed, r.ExitCode(false), r.ExitCode(true))
			}
		}
	}
	if len(names) != len(want) {
		t.Errorf("verdicts share names: %v", names)
	}
	for _, v := range []verify.Verdict{-1, verify.None + 1} {
		if v.String() != "NO_EVIDENCE" || v.ExitCode() == 0 {
			t.Errorf("unknown verdict %d: %s, exit code %d", int(v), v, v.ExitCode())
		}
	}
}

// TestReformatted checks that spelling does not matter where it need not.
func TestReformatted(t *testing.T) {
	s := newScene(t, origin)
	file := s.bundle("void and revoked")
	var indented bytes.Buffer
	indent(t, &indented, file)
	r := judge(t, indented.Bytes(), s.Reader())
	if r.Verdict != verify.Revoked {
		t.Errorf("indented: %v", r.Verdict)
	}
	if !bytes.Equal(write(t, parse(t, indented.Bytes())), file) {
		t.Error("parsing and writing an indented bundle does not give it back")
	}
}

// TestOwnLog checks that a bundle is of a log that the reader believes, and its
// attestations are for that log.
func TestOwnLog(t *testing.T) {
	s, foreign := newScene(t, origin), newScene(t, "log.example/other")
	if r := verify.Bundle(foreign.bundle("active"), s.Reader()); r.Verdict != verify.Invalid {
		t.Errorf("another log: %v", r.Verdict)
	}
	e := testlog.Attest(s.steward.Keys[0], testlog.Claims("log.example/other", s.Unix(), 2), testlog.Component("pkg:generic/a@1"))
	if _, codes := s.Force(e.Leaf); codes[0] != "wrong-log" {
		t.Fatalf("code %q", codes[0])
	}
	if r := verify.Bundle(s.absent(e, "active"), s.Reader()); r.Verdict != verify.Invalid {
		t.Errorf("an attestation for another log: %v", r.Verdict)
	}
}
