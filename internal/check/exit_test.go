package check_test

import (
	"slices"
	"testing"

	"github.com/standing-log/standing/internal/check"
)

// TestExitCode: evidence that fails outweighs bad news, which outweighs not
// knowing.
func TestExitCode(t *testing.T) {
	witnessed := check.Log{Verdict: check.Fresh, Witnessed: true}
	for _, tt := range []struct {
		verdicts []string
		log      check.Log
		failOn   []string
		allow    bool
		want     int
	}{
		{nil, witnessed, nil, false, 0},
		{[]string{"ACTIVE", "NONE", "UNNAMED"}, witnessed, nil, false, 0},
		{[]string{"ACTIVE"}, check.Log{Verdict: check.Fresh}, nil, false, 3},
		{[]string{"ACTIVE"}, check.Log{Verdict: check.Fresh}, nil, true, 0},
		{[]string{"UNNAMED"}, check.Log{Verdict: check.Unasked}, nil, false, 0},
		{[]string{"UNDECIDED"}, witnessed, nil, false, 3},
		{[]string{"STALE", "EXPIRED"}, witnessed, nil, false, 1},
		{[]string{"SUPERSEDED"}, witnessed, nil, false, 1},
		{[]string{"REVOKED"}, check.Log{Verdict: "NO_EVIDENCE", Witnessed: true}, nil, false, 1},
		{[]string{"NONE"}, check.Log{Verdict: "NO_EVIDENCE"}, nil, true, 3},
		{[]string{"REVOKED"}, check.Log{Verdict: "INVALID"}, nil, true, 4},
		{[]string{"REVOKED"}, check.Log{Verdict: "ROLLBACK"}, []string{"NONE"}, true, 4},
		{[]string{"REVOKED", "NONE"}, witnessed, []string{"SUSPENDED"}, false, 0},
		{[]string{"REVOKED", "NONE"}, witnessed, []string{"NONE"}, false, 1},
		{[]string{"STALE"}, witnessed, []string{"STALE"}, false, 3},
		{[]string{"STALE"}, witnessed, []string{"REVOKED"}, false, 0},
		{[]string{"NO_EVIDENCE"}, witnessed, []string{"REVOKED"}, false, 3},
		{[]string{"ACTIVE"}, witnessed, []string{"ACTIVE"}, false, 1},
	} {
		r := check.Result{Logs: []check.Log{tt.log}}
		for _, v := range tt.verdicts {
			r.Components = append(r.Components, check.Component{Verdict: v})
		}
		if got := r.ExitCode(tt.failOn, tt.allow); got != tt.want {
			t.Errorf("%v, log %s, fail on %v: %d, not %d", tt.verdicts, tt.log.Verdict, tt.failOn, got, tt.want)
		}
	}
}

func TestParseVerdicts(t *testing.T) {
	got, err := check.ParseVerdicts([]string{"revoked", "Key-Void", " STALE"})
	if err != nil || !slices.Equal(got, []string{"REVOKED", "KEY_VOID", "STALE"}) {
		t.Error(got, err)
	}
	if got, err := check.ParseVerdicts(nil); got != nil || err != nil {
		t.Error(got, err)
	}
	for _, bad := range []string{"", "green", "FRESH"} {
		if _, err := check.ParseVerdicts([]string{"stale", bad}); err == nil {
			t.Errorf("%q is a verdict", bad)
		}
	}
}
