package verify_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

// TestSignatureLines changes the signature lines of a checkpoint: which of
// them matter, and for what.
func TestSignatureLines(t *testing.T) {
	s := newScene(t, origin)
	file := s.bundle("active")
	text := parse(t, file).Checkpoint
	body, log, witness := splitCheckpoint(t, text)
	cp, err := s.Policy.OpenLogSigned([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	// at is the witness's line for another time.
	at := func(d time.Duration) string {
		_, _, line := splitCheckpoint(t, string(s.Sign(cp.Body, 1, s.Now().Add(d).Unix())))
		return line
	}
	other := trust.Body{Origin: origin, Size: cp.Size, Root: [32]byte{1}}
	_, otherLog, otherWitness := splitCheckpoint(t, string(s.Sign(other, 1, s.Now().Unix())))
	unknown := "— stranger.example " + base64.StdEncoding.EncodeToString(make([]byte, 76)) + "\n"
	garbage := func(line string) string {
		return line[:len(line)-8] + "AAAA" + line[len(line)-4:]
	}
	now, hour := s.Now(), time.Hour
	for _, tt := range []struct {
		name, checkpoint string
		want             verify.Verdict
		asOf             time.Time
	}{
		{"as it is", body + log + witness, verify.Active, now},
		{"witness first", body + witness + log, verify.Active, now},
		{"unknown cosigner behind", body + log + witness + unknown, verify.Active, now},
		{"unknown cosigner first", body + unknown + log + witness, verify.Active, now},
		{"the same line twice", body + log + log + witness + witness, verify.Active, now},
		{"an older cosignature besides", body + log + at(-hour) + witness, verify.Active, now},
		{"a newer cosignature besides", body + log + witness + at(4*time.Minute), verify.Active, now.Add(4 * time.Minute)},
		{"a cosignature from the future besides", body + log + at(hour) + witness, verify.Active, now},
		{"99 unknown cosigners", body + log + witness + many(unknown, 98), verify.Active, now},

		{"too many lines", body + log + witness + many(unknown, 99), verify.Invalid, time.Time{}},
		{"no log line", body + witness, verify.Invalid, time.Time{}},
		{"no witness line", body + log, verify.Invalid, time.Time{}},
		{"no line", body, verify.Invalid, time.Time{}},
		{"an unknown cosigner instead", body + log + unknown, verify.Invalid, time.Time{}},
		{"only a cosignature from the future", body + log + at(hour), verify.NoEvidence, time.Time{}},
		{"a line of the witness that does not verify besides", body + log + witness + garbage(witness), verify.Invalid, time.Time{}},
		{"a line of the log that does not verify besides", body + log + witness + garbage(log), verify.Invalid, time.Time{}},
		{"the witness's line for another tree", body + log + otherWitness, verify.Invalid, time.Time{}},
		{"the log's line for another tree", body + otherLog + witness, verify.Invalid, time.Time{}},
		{"another tree", other.String() + "\n" + otherLog + otherWitness, verify.Invalid, time.Time{}},
		{"an extension line", strings.Replace(body, "\n\n", "\nextension\n\n", 1) + log + witness, verify.Invalid, time.Time{}},
	} {
		r := verify.Bundle(change(t, file, func(b *bundle.Bundle) { b.Checkpoint = tt.checkpoint }), s.Reader())
		if r.Verdict != tt.want || tt.want == verify.Active && !r.AsOf.Equal(tt.asOf) {
			t.Errorf("%s: %v as of %s (%v), want %v as of %s", tt.name, r.Verdict, r.AsOf, r.Err, tt.want, tt.asOf)
		}
	}
	old := change(t, file, func(b *bundle.Bundle) { b.Checkpoint = body + log + at(-25*hour) })
	if r := verify.Bundle(old, s.Reader()); r.Verdict != verify.Stale {
		t.Errorf("an old cosignature alone: %v", r.Verdict)
	}
}

// many repeats an unknown line, each time with another signature: a note drops
// lines that are the same.
func many(line string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Replace(line, "stranger", "stranger"+string(rune('a'+i/26))+string(rune('a'+i%26)), 1))
	}
	return b.String()
}

// splitCheckpoint splits a checkpoint with two signature lines.
func splitCheckpoint(t testing.TB, text string) (body, log, witness string) {
	t.Helper()
	body, lines, ok := strings.Cut(text, "\n\n")
	log, witness, ok2 := strings.Cut(lines, "\n")
	if !ok || !ok2 {
		t.Fatalf("checkpoint %q", text)
	}
	return body + "\n\n", log + "\n", witness
}
