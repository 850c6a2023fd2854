package altreader

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies shows the independence: beside the standard library there
// is arithmetic on a curve, and nothing of this module.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, out)
	}
	own := false
	for _, path := range strings.Fields(string(out)) {
		switch {
		case strings.HasSuffix(path, "/internal/altreader"):
			own = true
		case path != "filippo.io/edwards25519" && !strings.HasPrefix(path, "filippo.io/edwards25519/"):
			t.Errorf("altreader depends on %s", path)
		}
	}
	if !own {
		t.Error("go list does not name the package itself")
	}
}
