package demo

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	// Test binaries carry no list of modules; these are two of this one's.
	deps := []*debug.Module{
		{Path: "golang.org/x/mod", Version: "v0.42.0", Sum: "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
		{Path: "github.com/cockroachdb/pebble/v2", Version: "v2.1.7", Sum: "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
	}
	var out bytes.Buffer
	if err := run(t.Context(), Options{Out: &out}, deps); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Log(out.String())
	for _, want := range []string{
		"DEMO LOG", "widgets.example/parse@v1.4.0", "ACTIVE: it stood as of", "REVOKED as of", "reason vulnerability",
		"not-your-attestation", "INVALID",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
}
