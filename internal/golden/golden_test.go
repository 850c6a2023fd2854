package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/reason"
)

func played(t *testing.T, s script) *book {
	t.Helper()
	b, err := play(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFiles: what is in testdata is what is written now.
func TestFiles(t *testing.T) {
	if err := run("../../testdata/golden", false); err != nil {
		t.Error(err)
	}
}

// TestCompare: a file that is changed, missing or nobody's is found.
func TestCompare(t *testing.T) {
	dir := t.TempDir()
	files := []file{{"a", []byte("1")}, {"b/c", []byte("2")}}
	if err := write(dir, files); err != nil {
		t.Fatal(err)
	}
	if err := compare(dir, files); err != nil {
		t.Error(err)
	}
	for name, others := range map[string][]file{
		"changed": {{"a", []byte("3")}, files[1]},
		"missing": append(slices.Clone(files), file{"d", nil}),
		"nobody":  files[:1],
	} {
		if err := compare(dir, others); err == nil {
			t.Errorf("%s: nothing is found", name)
		}
	}
}

// excepted are the codes that no leaf of a golden log is ignored for.
var excepted = map[reason.Code]string{
	reason.TooLarge:       "a longer leaf does not fit the entry bundles of tlog-tiles; entry/testdata has one",
	reason.SignatureCount: "of a submission: a leaf with another number is not canonical",
	reason.PayloadType:    "of a submission: a leaf with another type is not canonical",

	reason.PersonalData: "admission", reason.PurlType: "admission", reason.ReasonDetail: "admission",
	reason.Validity: "admission", reason.LegalBasis: "admission", reason.Catalogue: "admission",

	reason.RequestMalformed: "request", reason.RequestTooLarge: "request", reason.SubjectUnknown: "request", reason.NotFound: "request",
	reason.Busy: "node", reason.Backlog: "node", reason.NoSpace: "node", reason.ReadOnly: "node", reason.ShuttingDown: "node", reason.Internal: "node",
}

// TestCodes: every code of the table is met or excepted, and none is both.
func TestCodes(t *testing.T) {
	met := map[reason.Code]bool{}
	for _, s := range append([]script{mainScript()}, smallScripts()...) {
		for _, st := range s.steps {
			met[st.code] = true
		}
	}
	for _, e := range reason.Table() {
		if _, ok := excepted[e.Code]; ok == met[e.Code] {
			t.Errorf("%s: excepted %v, met %v", e.Code, ok, met[e.Code])
		}
	}
}

// TestKinds: every action has effect once, and is ignored once; every kind of
// event and of withdrawal is in a list.
func TestKinds(t *testing.T) {
	b := played(t, mainScript())
	got := map[string]bool{}
	for _, l := range b.lines {
		got[l.Is+" "+l.Event] = true
	}
	for _, kind := range []string{
		"charter", "party enrol", "party amend", "party end", "key add", "key retire", "key compromise", "key range",
		"programme publish", "programme amend", "programme close", "attestation",
		"revocation revoke", "revocation hold", "revocation reinstate", "revocation claims",
	} {
		for _, is := range []string{isEffective, isIgnored} {
			if !got[is+" "+kind] {
				t.Errorf("no %s is %s", kind, is)
			}
		}
	}
	state, err := b.state()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"01", "07", "08", "09", "0a", "0b", "0c", "0d", "0e", "0f", "10"} {
		if !slices.ContainsFunc(strings.Split(string(state), `"`), func(s string) bool { return len(s) == 82 && s[16:18] == kind }) {
			t.Errorf("no event of kind %s", kind)
		}
	}
	for kind := byte(1); kind <= 8; kind++ {
		if !slices.ContainsFunc(b.withdrawals, func(w []byte) bool { return w[8] == kind }) {
			t.Errorf("no withdrawal of kind %d", kind)
		}
	}
}

// TestReplays: what had effect is logged again, of each action.
func TestReplays(t *testing.T) {
	b := played(t, mainScript())
	again := map[string]bool{}
	for i, l := range b.lines {
		if l.ID == "" || l.Is != isIgnored {
			continue
		}
		if slices.ContainsFunc(b.lines[:i], func(o line) bool { return o.Is == isEffective && o.ID == l.ID }) {
			again[l.Event] = true
		}
	}
	for _, l := range b.lines {
		if l.Is == isEffective && !again[l.Event] {
			t.Errorf("no %s is replayed", l.Event)
			again[l.Event] = true
		}
	}
}

// TestRules: each step that a rule names is there, and obeys or breaks it.
func TestRules(t *testing.T) {
	is := map[string]string{}
	for _, st := range mainScript().steps {
		is[st.name] = st.is
	}
	for _, r := range flagged() {
		if len(r.Obeyed) == 0 || (len(r.Broken) == 0) && r.Note == "" {
			t.Errorf("%s: it is not obeyed, or not broken", r.Rule)
		}
		for _, name := range r.Obeyed {
			if is[name] != isEffective && is[name] != isSeal {
				t.Errorf("%s: %q is %q", r.Rule, name, is[name])
			}
		}
		for _, name := range r.Broken {
			if is[name] != isIgnored && is[name] != isStray && is[name] != isStop {
				t.Errorf("%s: %q is %q", r.Rule, name, is[name])
			}
		}
	}
}

// TestFalseSeals: each line that is computed is wrong in one log.
func TestFalseSeals(t *testing.T) {
	lines := map[int]bool{}
	for _, s := range smallScripts() {
		if last := s.steps[len(s.steps)-1]; last.is == isFalse {
			lines[last.line] = true
		}
	}
	for _, n := range []int{0, 4, 5, 6, 7, 8, 9, 10} {
		if !lines[n] {
			t.Errorf("no seal is false in line %d", n)
		}
	}
}

// TestLists: an event that ends what it is about writes into no list of a
// component, package or digest.
func TestLists(t *testing.T) {
	b := played(t, mainScript())
	for place, r := range b.records {
		if place[0] < 2 || place[0] > 4 {
			continue
		}
		var rec struct{ Last uint64 }
		if err := json.Unmarshal([]byte(r.Record), &rec); err != nil {
			t.Fatal(err)
		}
		if l := b.lines[rec.Last]; l.Event != "attestation" || l.Is != isEffective {
			t.Errorf("the list of %s was last changed by %+v", r.Data, l)
		}
	}
}
