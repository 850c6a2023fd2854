package cli

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// shop is a log with one attestation, its trust file, and two SBOMs: of what is
// attested, and of something else.
type shop struct {
	t           *testing.T
	log         string
	attested, x string // files
}

func newShop(t *testing.T) *shop {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	log, stop, err := runLog("node", "log.example/one")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	s := &shop{t: t, log: log, attested: "attested.json", x: "x.json"}
	s.run(0, "trust", "add", "node/trust.policy", "--yes")
	s.run(0, "keygen")
	s.run(0, "join", log, "--name", "Widget Stewards", "--website", "https://widgets.example", "--role", "steward", "--key", "standing.key", "--recovery", "standing-recovery.key", "--yes")
	s.run(0, "enrol", "join.dsse.json", "--key", "node/registrar.key", "--log", log, "--yes")
	s.run(0, "new", "pkg:npm/widget", "--log", log)
	s.run(0, "issue", "attestation.yaml", "--key", "standing.key", "--log", log, "--yes")
	s.write(s.attested, `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"name":"widget","purl":"pkg:npm/widget@1.0.0"}]}`)
	s.write(s.x, `{"spdxVersion":"SPDX-2.3","packages":[{"name":"y"},{"name":"x","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:deb/debian/x@1"}]}]}`)
	return s
}

func (s *shop) write(file, text string) {
	s.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run runs standing and returns what it prints.
func (s *shop) run(code int, args ...string) string {
	s.t.Helper()
	var out, problems bytes.Buffer
	if got := Main(s.t.Context(), args, strings.NewReader(""), &out, &problems); got != code {
		s.t.Fatalf("standing %s: exit code %d, not %d\n%s%s", strings.Join(args, " "), got, code, &out, &problems)
	}
	return out.String()
}

// TestCheckRevealsNothing: from the same copy of the same log, an SBOM of what
// is attested and one of something else lead to the same requests, in the same
// order, to the last byte.
func TestCheckRevealsNothing(t *testing.T) {
	s := newShop(t)
	target, err := url.Parse(s.log)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	var mu sync.Mutex
	var requests []string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dump, err := httputil.DumpRequest(r, true)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		requests = append(requests, string(dump))
		mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	defer web.Close()
	// sequence has a copy made from nothing, and brought up to date.
	sequence := func(sbom, want string) []string {
		requests = nil
		for range 2 {
			out := s.run(0, "check", sbom, "--log", web.URL)
			if !strings.Contains(out, want) {
				t.Errorf("%s: %s", sbom, out)
			}
		}
		return slices.Clone(requests)
	}
	t.Setenv("XDG_CACHE_HOME", filepath.Join(t.TempDir(), "one"))
	one := sequence(s.attested, "1 ACTIVE;")
	t.Setenv("XDG_CACHE_HOME", filepath.Join(t.TempDir(), "two"))
	two := sequence(s.x, "1 UNNAMED, 1 NONE;")
	if len(one) < 3 || !slices.Equal(one, two) {
		t.Errorf("%d and %d requests:\n%s\n\n%s", len(one), len(two), strings.Join(one, ""), strings.Join(two, ""))
	}
	for _, r := range one {
		if strings.Contains(r, "widget") {
			t.Errorf("a request names a component: %s", r)
		}
	}
}
