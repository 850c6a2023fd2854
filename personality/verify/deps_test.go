package verify_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pkg is what `go list` tells about a package.
type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string
}

// list asks the go command for packages.
func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Standard,Imports"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(out); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return pkgs
}

// TestDeps compares deps.txt with what is imported, and finds no way out among
// it: no connection, no other program.
func TestDeps(t *testing.T) {
	listed := readDeps(t)
	pkgs := list(t, "-deps", ".")
	for _, p := range pkgs {
		if p.Standard || p.ImportPath == "github.com/standing-log/standing/personality/verify" {
			continue
		}
		if !listed[p.ImportPath] {
			t.Errorf("%s is imported and not in deps.txt", p.ImportPath)
		}
		delete(listed, p.ImportPath)
	}
	for path := range listed {
		t.Errorf("%s is in deps.txt and not imported", path)
	}
	for _, fault := range outward(pkgs) {
		t.Error(fault)
	}
}

// TestPublic: what others import needs nothing that they cannot import.
func TestPublic(t *testing.T) {
	pkgs := list(t, "../...")
	if len(pkgs) < 10 {
		t.Fatalf("%d packages", len(pkgs))
	}
	for _, p := range pkgs {
		for _, path := range p.Imports {
			if strings.HasPrefix(path, "github.com/standing-log/standing/internal/") {
				t.Errorf("%s imports %s", p.ImportPath, path)
			}
		}
	}
}

// outward returns the imports that could reach out of the process.
func outward(pkgs []pkg) (faults []string) {
	never := []string{"net/http", "net/rpc", "net/smtp", "net/mail", "net/textproto", "crypto/tls", "os/exec", "plugin", "log/syslog"}
	for _, p := range pkgs {
		if slices.Contains(never, p.ImportPath) {
			faults = append(faults, "imports "+p.ImportPath)
		}
		for _, i := range p.Imports {
			outside := i == "net" || i == "syscall" || i == "os/signal" || strings.HasPrefix(i, "golang.org/x/sys/") || strings.HasPrefix(i, "golang.org/x/net/")
			switch {
			case p.Standard && i == "net" && p.ImportPath != "crypto/x509":
				faults = append(faults, p.ImportPath+" imports net")
			case !p.Standard && outside:
				faults = append(faults, p.ImportPath+" imports "+i)
			}
		}
	}
	return faults
}

// caller is a program that does nothing but verify.
const caller = `package main

import (
	"os"

	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

func main() {
	policy, _ := trust.Parse([]byte(os.Args[1]))
	os.Exit(verify.Bundle([]byte(os.Args[2]), verify.Options{Policy: policy}).ExitCode(false))
}
`

// TestNoNetwork builds a program that verifies, and checks that the linker
// found nothing in it that opens a connection: what is not there cannot be
// called.
func TestNoNetwork(t *testing.T) {
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte(caller), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	symbols, err := exec.CommandContext(t.Context(), "go", "tool", "nm", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for line := range strings.Lines(string(symbols)) {
		fields := strings.Fields(line)
		name := fields[len(fields)-1]
		found = found || strings.HasSuffix(name, "/verify.Bundle")
		for _, call := range []string{"net.(*Dialer)", "net.(*sysDialer)", "net.socket", "net.(*Resolver)", "net.Dial", "syscall.Connect", "syscall.connect", "syscall.Socket", "syscall.socket", "os.StartProcess"} {
			if strings.HasPrefix(name, call) {
				t.Errorf("%s is linked", name)
			}
		}
	}
	if !found {
		t.Error("verify.Bundle is not linked: the test looks in the wrong place")
	}
}

// TestOutward checks that outward would see a way out.
func TestOutward(t *testing.T) {
	for _, p := range []pkg{
		{ImportPath: "net/http", Standard: true},
		{ImportPath: "os/exec", Standard: true},
		{ImportPath: "example.com/dial", Imports: []string{"fmt", "net"}},
		{ImportPath: "example.com/raw", Imports: []string{"golang.org/x/sys/unix"}},
		{ImportPath: "log/syslog", Standard: true},
	} {
		if len(outward([]pkg{p})) == 0 {
			t.Errorf("%s, %v: not seen", p.ImportPath, p.Imports)
		}
	}
}

// readDeps returns the packages of deps.txt.
func readDeps(t *testing.T) map[string]bool {
	t.Helper()
	f, err := os.Open("deps.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	listed := map[string]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		path, why, _ := strings.Cut(lines.Text(), " ")
		switch {
		case path == "" || path == "#":
		case strings.TrimSpace(why) == "":
			t.Errorf("%s has no reason", path)
		case listed[path]:
			t.Errorf("%s stands twice", path)
		default:
			listed[path] = true
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return listed
}
