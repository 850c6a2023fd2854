package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestFederated asks two logs of one trust file: each answers for itself, as of
// its own time, and one that is down takes nothing from what the other says.
func TestFederated(t *testing.T) {
	s := newShop(t)
	url, stop, err := runLog("other", "log.example/two")
	if err != nil {
		t.Fatal(err)
	}
	down := false
	end := func() {
		if !down {
			down = true
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
	}
	defer end()
	trust := ""
	for i, log := range []struct{ dir, url string }{{"node", s.log}, {"other", url}} {
		b, err := os.ReadFile(log.dir + "/trust.policy")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(b), "\n") {
			switch {
			case strings.HasPrefix(line, "log "):
				trust += line + " " + log.url + "\n"
			case strings.HasPrefix(line, "witness "):
				trust += strings.Replace(line, " local ", []string{" w1 ", " w2 "}[i], 1) + "\n"
			}
		}
	}
	s.write("both.policy", trust+"group any any w1 w2\nquorum any\n")
	// The party is enrolled in the second log, too, and attests there as well.
	ask := func(code int, args ...string) string { return s.run(code, append(args, "--trust", "both.policy")...) }
	ask(0, "join", "log.example/two", "--name", "Widget Stewards", "--website", "https://widgets.example", "--role", "steward", "--key", "standing.key", "--recovery", "standing-recovery.key", "--yes", "--out", "join-two.dsse.json")
	ask(0, "enrol", "join-two.dsse.json", "--key", "other/registrar.key", "--log", "log.example/two", "--yes")

	out := ask(0, "status", "pkg:npm/widget", "-o", "json")
	var got struct {
		Logs []logStatus
		Exit int
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Logs) != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	one, two := got.Logs[0], got.Logs[1]
	if one.Log != "log.example/one" || two.Log != "log.example/two" || one.AsOf.Size == two.AsOf.Size ||
		len(one.Results[0].Attestations) != 1 || len(two.Results[0].Attestations) != 0 {
		t.Errorf("%s", out)
	}
	if out := ask(0, "check", s.attested); !strings.Contains(out, "1 component: 1 ACTIVE; 1 attestation about them") || strings.Count(out, ", as of ") != 2 {
		t.Errorf("%s", out)
	}
	if len(one.Cosigned) != 1 || one.Cosigned[0].By != "w1" || len(two.Cosigned) != 1 || two.Cosigned[0].By != "w2" || one.Doubt != "" {
		t.Errorf("cosigned by %+v and %+v: %s", one.Cosigned, two.Cosigned, one.Doubt)
	}
	// What each log publishes is not cosigned as this trust file asks.
	s.write("all.policy", trust+"group all all w1 w2\nquorum all\n")
	if out := s.run(3, "status", "pkg:npm/widget", "--trust", "all.policy"); strings.Count(out, "Its checkpoint is cosigned by w") != 2 ||
		strings.Count(out, "It does not count under your trust file: ") != 2 || !strings.Contains(out, "pkg:npm/widget: ACTIVE att:") {
		t.Errorf("%s", out)
	}
	ask(2, "status", "pkg:npm/widget", "--save", "x.standing.json")
	// A witness in the hand that runs the log is no second opinion; the other log
	// has another, and stays good.
	s.write("both.policy.pins", "operator north log.example/one w1\n")
	if out := ask(4, "check", s.attested); !strings.Contains(out, "log.example/one: INVALID") || !strings.Contains(out, "log.example/two: 4 leaves") {
		t.Errorf("%s", out)
	}
	if err := os.Remove("both.policy.pins"); err != nil {
		t.Fatal(err)
	}

	end()
	out = ask(75, "status", "pkg:npm/widget")
	if !strings.Contains(out, "pkg:npm/widget: ACTIVE att:") || !strings.Contains(out, "log.example/two says nothing: log unreachable") {
		t.Errorf("%s", out)
	}
	// The copy of the second log answers as of the last time, until it is stale.
	if out := ask(0, "check", s.attested); !strings.Contains(out, "1 component: 1 ACTIVE") {
		t.Errorf("%s", out)
	}
	if err := os.RemoveAll(os.Getenv("XDG_CACHE_HOME")); err != nil {
		t.Fatal(err)
	}
	if out := ask(75, "check", s.attested); !strings.Contains(out, "1 component: 1 ACTIVE") || !strings.Contains(out, "log.example/two: NO_EVIDENCE") {
		t.Errorf("%s", out)
	}
	if out := ask(75, "check", s.x); !strings.Contains(out, "1 NO_EVIDENCE") {
		t.Errorf("%s", out)
	}
}
