package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/prefill"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
)

func flagNames(c *cobra.Command) (names []string) {
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			names = append(names, f.Name)
		}
	})
	return names
}

// TestExitCodes holds the classes of failure against their codes; each has a
// next step.
func TestExitCodes(t *testing.T) {
	refused := func(code reason.Code) error {
		return fmt.Errorf("item: %w", &client.RefusedError{Reason: reason.Errorf(code, "x"), NextStep: "as the log says"})
	}
	tests := []struct {
		err  error
		code int
		hint string
	}{
		{usage("x"), 2, ""},
		{usage("x: %w", reason.Errorf(reason.Purl, "x")), 2, "canonical spelling"},
		{reason.Errorf(reason.Purl, "x"), 1, "canonical spelling"},
		{refused(reason.NotYours), 1, "as the log says"},
		{refused(reason.Busy), 75, "as the log says"},
		{refused(reason.ReadOnly), 75, "as the log says"},
		{fmt.Errorf("%w: x", client.ErrUnreachable), 75, "nothing is lost"},
		{fs.ErrNotExist, 2, "name"},
		{fs.ErrExist, 2, "overwrites neither"},
		{errors.New("disk on fire"), 3, ""},
		{cannotTell("x"), 3, ""},
		{quiet(4), 4, ""},
	}
	for _, tt := range tests {
		if f := classify(tt.err); f.code != tt.code || !strings.Contains(f.hint, tt.hint) {
			t.Errorf("%v: code %d, hint %q; want %d, %q", tt.err, f.code, f.hint, tt.code, tt.hint)
		}
	}
	if quiet(0) != nil {
		t.Error("code 0 is an error")
	}
}

func TestWorse(t *testing.T) {
	for _, tt := range [][3]int{{0, 0, 0}, {0, 75, 75}, {75, 0, 75}, {75, 1, 1}, {1, 75, 1}, {1, 2, 2}, {2, 0, 2}} {
		if got := worse(tt[0], tt[1]); got != tt[2] {
			t.Errorf("worse(%d, %d) = %d", tt[0], tt[1], got)
		}
	}
}

// TestPrintable: a party's name cannot steer the terminal.
func TestPrintable(t *testing.T) {
	var out bytes.Buffer
	a := &app{stdout: &out, output: "text"}
	a.say("%s", "Wid\x1b[2Jget \u202eelgaE\u009b1m ü\nline")
	if got, want := out.String(), "Wid\ufffd[2Jget \ufffdelgaE\ufffd1m ü\nline\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// TestConfirm: only a plain yes is consent, and nobody's silence is.
func TestConfirm(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, "\n": false, "": false, "no\n": false, "yep\n": false} {
		a := &app{stdin: bufio.NewReader(strings.NewReader(answer)), stderr: &bytes.Buffer{}, asks: true}
		if err := a.confirm("?", false); (err == nil) != want {
			t.Errorf("%q: %v", answer, err)
		}
	}
	a := &app{stdin: bufio.NewReader(strings.NewReader("y\n")), stderr: &bytes.Buffer{}}
	if err := a.confirm("?", false); err == nil {
		t.Error("a pipe has consented")
	}
	if err := a.confirm("?", true); err != nil {
		t.Error(err)
	}
}

const goodDraft = `
logs: [log.example]
subjects: [{purl: "pkg:npm/x@1", digest: "gitCommit:98ea6e4f216f2fb4b69fff9b3a44842c38686ca6"}, {purl: "pkg:npm/y", vers: "vers:npm/>=1", from: 2026-01-01, to: 2026-02-01T10:00:00Z}]
relation: steward
polarity: positive
legalBasis: none
initiator: user
financer: public-body
validFrom: 2026-01-01
validUntil: 2027-01-01
supportUntil: 2028-01-01
supersedes: att:98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4
support: {asks: funding, url: "https://x.example"}
claims: {catalogue: c, version: "1", items: [{id: A, answer: yes, link: "https://x.example", evidence: 98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4, checkedAt: 2026-01-02}]}
`

// TestDraft: every member of a draft reaches the entry.
func TestDraft(t *testing.T) {
	d, err := parseDraft([]byte(goodDraft))
	if err != nil {
		t.Fatal(err)
	}
	a, subjects, err := d.statement()
	if err != nil {
		t.Fatal(err)
	}
	payload := string(entry.Payload(a, subjects...))
	for _, want := range []string{
		`"gitCommit":"98ea`, `"vers":"vers:npm/>=1","from":1767225600,"to":1769940000`, `"relation":"steward"`, `"initiator":"user"`,
		`"financer":"public-body"`, `"validFrom":1767225600`, `"validUntil":1798761600`, `"supportUntil":1830297600`, `"supersedes":"98ea`,
		`"support":{"asks":"funding","url":"https://x.example"}`, `"answer":"yes","checkedAt":1767312000,"evidence":"98ea`,
	} {
		if !strings.Contains(payload, want) {
			t.Errorf("%s lacks %s", payload, want)
		}
	}
	for name, bad := range map[string]string{
		"unknown":        "x: 1",
		"twice":          "polarity: positive\npolarity: negative",
		"two documents":  "polarity: positive\n---\npolarity: negative",
		"date":           "validFrom: tomorrow",
		"empty":          "",
		"before 1970":    "validFrom: 1950-01-01",
		"list of scalar": "logs: 5",
	} {
		if _, err := parseDraft([]byte(bad)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzDraft: what parses and is valid gives a statement that package entry can
// write and read again, or an error; never a panic. An entry made of it, carried
// into a draft, written and read, gives the same statement.
func FuzzDraft(f *testing.F) {
	key, err := keyfile.Generate()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(goodDraft))
	f.Add([]byte("subjects: [{purl: pkg:npm/x}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseDraft(data)
		if err != nil {
			return
		}
		a, subjects, err := d.statement()
		if err != nil {
			return
		}
		payload := entry.Payload(a, subjects...)
		again, err := parseDraft(data)
		if err != nil {
			t.Fatal(err)
		}
		if b, s, err := again.statement(); err != nil || !bytes.Equal(entry.Payload(b, s...), payload) {
			t.Errorf("the same draft gives another statement: %v", err)
		}
		e, err := entry.Sign(payload, key)
		if err != nil {
			return
		}
		text := draftOf(e).text(&remarks{head: []string{"a\nb: c"}}, time.Unix(1_800_000_000, 0))
		written, err := parseDraft(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if b, s, err := written.statement(); err != nil || !bytes.Equal(entry.Payload(b, s...), payload) {
			t.Errorf("%v: carried forward it is another statement:\n%s", err, text)
		}
	})
}

// TestCarry: what differs from the old attestation is shown, on screen and in
// the draft, and nothing else is touched.
func TestCarry(t *testing.T) {
	d, err := parseDraft([]byte(goodDraft))
	if err != nil {
		t.Fatal(err)
	}
	day := func(s string) *date {
		n, err := parseDate(s)
		if err != nil {
			t.Fatal(err)
		}
		return dateOf(&n)
	}
	digest := strings.Repeat("ab", 32)
	d.SupportUntil = day("2026-06-01")
	d.Claims.Items = []draftClaim{
		{ID: "fresh", Answer: "yes", CheckedAt: day("2026-10-01")},
		{ID: "gone", Answer: "yes", Evidence: digest},
		{ID: "old", Answer: "no", CheckedAt: day("2026-01-02")},
		{ID: "plain", Answer: "yes", Link: "https://x.example"},
		{ID: "QA.03", Answer: "not-stated"},
		{ID: "taken", Answer: "yes"},
	}
	a, subjects, err := d.statement()
	if err != nil {
		t.Fatal(err)
	}
	old := &predecessor{entry: &entry.Entry{Kind: entry.KindAttestation, Attestation: a, Subjects: subjects}, verdict: "SUSPENDED",
		record: &mapfn.AttestationRecord{Withdrawn: []string{"taken"}}}
	c := &carrier{old: old, now: time.Date(2026, 11, 26, 14, 0, 0, 0, time.UTC), repo: &prefill.Repository{Points: map[string]prefill.Point{
		"QA.03": {Answer: "yes", Where: []string{"SECURITY.md:1"}}, "plain": {Answer: "yes"}}}}
	got := c.carry()
	if c.carried != 2 {
		t.Errorf("%d answers are as they were, want fresh and plain", c.carried)
	}
	for _, want := range []change{
		{"validFrom", "2026-01-01", "2026-11-26", ""}, {"validUntil", "2027-01-01", "2027-11-26", ""}, {"taken", "yes", "not-stated", "it was withdrawn"},
	} {
		if !slices.Contains(c.changes, want) {
			t.Errorf("%+v is not among %+v", want, c.changes)
		}
	}
	if len(c.changes) != 4 { // and supersedes
		t.Errorf("changes %+v", c.changes)
	}
	if want := []attention{
		{"the old one", "SUSPENDED: it did not simply stand"}, {"supportUntil", "2026-06-01 is past"},
		{"gone", "nothing in the repository has this digest"}, {"old", "checked 328 days ago, on 2026-01-02"},
		{"QA.03", "the repository says yes: SECURITY.md:1"},
	}; !slices.Equal(c.look, want) {
		t.Errorf("look at %+v, want %+v", c.look, want)
	}
	for i, item := range got.Claims.Items {
		before := d.Claims.Items[i]
		if item.ID == "taken" {
			before.Answer = "not-stated"
		}
		if fmt.Sprint(item.ID, item.Answer, item.Link, item.Evidence, dateText(item.CheckedAt)) != fmt.Sprint(before.ID, before.Answer, before.Link, before.Evidence, dateText(before.CheckedAt)) {
			t.Errorf("%+v, was %+v", item, before)
		}
	}
	text := string(got.text(&c.remarks, c.now))
	for _, want := range []string{"supportUntil: 2026-06-01 # LOOK: 2026-06-01 is past", "answer: not-stated # was yes; it was withdrawn",
		"answer: not-stated # LOOK: the repository says yes: SECURITY.md:1", "checkedAt: 2026-01-02 # LOOK: checked 328 days ago"} {
		if !strings.Contains(text, want) {
			t.Errorf("the draft lacks %q:\n%s", want, text)
		}
	}
}
