package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFederation builds the programs, the lying one too, and lets the story be
// told.
func TestFederation(t *testing.T) {
	bin := t.TempDir()
	for _, args := range [][]string{
		{"-o", bin, "../../cmd/standing", "../../cmd/standingd"},
		{"-tags", "standing_lie", "-o", filepath.Join(bin, "standingd-that-lies"), "../../cmd/standingd"},
	} {
		if out, err := exec.CommandContext(t.Context(), "go", append([]string{"build"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("go build %v: %v\n%s", args, err, out)
		}
	}
	var out bytes.Buffer
	err := run(t.Context(), bin, false, &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"DEMO", "The monitor tells:", "EVIDENCE: log.example/south", "recovered", "cosigned by auditor, ", "All of it held."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story lacks %q", want)
		}
	}
}
