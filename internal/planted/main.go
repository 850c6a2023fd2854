// Command planted shows that fuzz targets find bugs: it copies the module, puts
// one bug after the other into a decoder, and runs the decoder's target until
// the bug is found. `make fuzz` runs it first. Targets whose packages show this
// in a test of their own (entry, mapfn, bundle, verify) are not in its list.
package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

// plant is one bug: in file, old becomes new, and target of the file's package
// must fail.
type plant struct{ target, file, old, new string }

func plants() []plant {
	return []plant{
		{"FuzzParse", "personality/purl/purl.go", "|| hi|lo == 0 || plain(byte(hi<<4|lo))", "|| hi|lo == 0"},
		{"FuzzParse", "personality/seal/seal.go", "|| strconv.FormatUint(v, 10) != p.lines[n-1]", ""},
		{"FuzzParse", "personality/trust/policy.go", `if items[len(items)-1] == "" {`, "if len(items) > 2 {"},
		{"FuzzPin", "personality/trust/pins.go", "fmt.Sprint(p.pins.minMapFn))", "fmt.Sprint(p.pins.minMapFn-1))"},
		{"FuzzOpen", "personality/trust/checkpoint.go", "if !k.Verifier.Verify([]byte(text), raw) {", "if false {"},
		{"FuzzParseProof", "personality/statusmap/proof.go", "case version != proofVersion:", "case version == 99:"},
		{"FuzzVerify", "personality/evidence/verify.go", "case s != nil:", "case s != nil && i == 1:"},
		{"FuzzOpen", "personality/promise/parse.go", "f.promise.Index >= f.promise.Size || ", ""},
		{"FuzzRecord", "internal/backend/embedded/provider/record.go", "|| b[0] != recordVersion", ""},
		{"FuzzLeaves", "internal/mapstore/bucket.go", "l.at.version() > version:", "l.at.version() > version+1:"},
		{"FuzzParseStored", "internal/mapstore/scan.go", "|| b[0] != byte(ns)", ""},
		{"FuzzParseStale", "internal/mapstore/prune.go", "n < 2 || n > len(b) ||", "n < 2 ||"},
		{"FuzzShortcut", "internal/mapstore/shortcut.go", "if len(b) < len(Hash{}) {", "if false {"},
		{"FuzzControlValues", "internal/mapstore/layout.go", "binary.BigEndian.Uint64(b[8:])", "binary.BigEndian.Uint64(b[9:])"},
		{"FuzzLeaf", "internal/altreader/json.go", "len(v.members) > 256", "len(v.members) > 2"},
		{"FuzzCanonicalPurl", "internal/lint/purl.go", "return out, nil", "return s, nil"},
		{"FuzzHasDomain", "internal/lint/personal.go", `"0123456789.-_+@/")`, `"0123456789.-_+@/abcdefgh")`},
		{"FuzzCompliance", "internal/prefill/compliance.go", `id != "" && !seen[id]`, `id != ""`},
		{"FuzzInsights", "internal/prefill/insights.go", "return errAliases", "return walkYAML(n.Alias, path, depth+1, out)"},
		{"FuzzDraft", "internal/cli/draft.go", "if d.Support != nil {", "if d.Support == nil {"},
		{"FuzzParse", "personality/vers/vers.go", "return len(c.op) == 2, nil", "return len(c.op) == 1, nil"},
		{"FuzzParse", "internal/sbom/sbom.go", "Digest{name, strings.ToLower(hex)}", "Digest{name, hex[1:]}"},
		{"FuzzRequest", "internal/witness/request.go", "|| strconv.FormatUint(n, 10) != s", ""},
		{"FuzzReadPEM", "internal/keyfile/keyfile.go", "case ed25519.PrivateKey:\n\t\treturn newKey(private)", "case ed25519.PrivateKey:\n\t\treturn Generate()"},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "planted:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "planted-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := copyModule(dir); err != nil {
		return err
	}
	missed := 0
	for _, p := range plants() {
		found, err := p.try(ctx, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", p.file, err)
		}
		word := "found "
		if !found {
			word, missed = "MISSED", missed+1
		}
		fmt.Printf("%s %-18s %s\n", word, p.target, p.file)
	}
	if missed > 0 {
		return fmt.Errorf("%d planted bugs were not found", missed)
	}
	return nil
}

// copyModule copies the module in the current directory, without what git and
// the build keep in it.
func copyModule(dir string) error {
	if _, err := os.Stat("go.mod"); err != nil {
		return fmt.Errorf("run it at the top of the module: %w", err)
	}
	return filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (path == ".git" || path == "bin" || path == "tools"):
			return filepath.SkipDir
		case e.IsDir():
			return os.MkdirAll(filepath.Join(dir, path), 0o755)
		case !e.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, path), b, 0o644)
	})
}

// spoil returns a file with the bug in it.
func (p plant) spoil(good []byte) ([]byte, error) {
	bad := strings.Replace(string(good), p.old, p.new, 1)
	if bad == string(good) {
		return nil, fmt.Errorf("there is no %q to break", p.old)
	}
	return []byte(bad), nil
}

// try plants the bug, runs the target, and takes the bug out again.
func (p plant) try(ctx context.Context, dir string) (found bool, err error) {
	file := filepath.Join(dir, p.file)
	good, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	bad, err := p.spoil(good)
	if err != nil {
		return false, err
	}
	if err := os.WriteFile(file, bad, 0o644); err != nil {
		return false, err
	}
	defer func() { _ = os.WriteFile(file, good, 0o644) }()
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+p.target+"$",
		"-fuzztime", "30s", "-fuzzminimizetime", "1x", "./"+filepath.Dir(p.file))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false, ctx.Err()
	}
	found = strings.Contains(string(out), "Failing input") || strings.Contains(string(out), "seed corpus")
	if !found && !strings.Contains(string(out), "context deadline exceeded") { // which Go may say at the end of the time
		return false, fmt.Errorf("the broken package does not run: %s", out)
	}
	return found, nil
}
