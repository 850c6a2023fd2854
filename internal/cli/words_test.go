package cli

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/reason"
)

// promises are words that this program says to nobody.
var promises = regexp.MustCompile(`(?i)\b(certified|compliant|conformity|approved|audited|sealed|safe|passed|due-diligence record)\b`)

func checkWords(t *testing.T, where, text string) {
	t.Helper()
	if hit := promises.FindString(text); hit != "" {
		t.Errorf("%s says %q: %.200q", where, hit, text)
	}
}

// TestWords holds everything that can be printed against the list: the strings
// of this package and of those whose text it prints, the tables, a draft and
// the help.
func TestWords(t *testing.T) {
	for _, dir := range []string{".", "../lint", "../prefill", "../keyfile", "../demo", "../replay", "../altreader", "../node", "../daemon", "../api",
		"../admission", "../prover", "../sequencer", "../check", "../report", "../mirror", "../watch", "../monitor", "../deliver", "../sbom",
		"../../personality/verify", "../../personality/client", "../../personality/trust", "../../personality/entry", "../../personality/mapfn", "../../personality/vers"} {
		checkStrings(t, dir)
	}
	page, err := os.ReadFile("../check/page.html")
	if err != nil {
		t.Fatal(err)
	}
	checkWords(t, "page.html", string(page))
	for _, e := range reason.Table() {
		checkWords(t, string(e.Code), e.Meaning+". "+e.NextStep)
	}
	for _, r := range catalogue.Reasons() {
		checkWords(t, r.Code, r.Meaning+". "+r.Detail)
	}
	for _, c := range catalogue.Catalogues() {
		for _, item := range c.Items {
			checkWords(t, c.Name+" "+item.ID, item.Title)
		}
	}
	p, err := purl.Parse("pkg:npm/x@1")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	checkWords(t, "draft", string(emptyDraft("log.example", p, "sha256:00", now).text(&remarks{}, now)))
}

// checkStrings looks at every string literal of a package that is not a test's.
// Struct tags and import paths are not printed, and names of members are free.
func checkStrings(t *testing.T, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || files == nil {
		t.Fatalf("%s: no files, %v", dir, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec, *ast.Field:
				return false
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
					checkWords(t, file, s)
				}
			}
			return true
		})
	}
}

// TestHelp: help lists the commands that exist and no others, and each command
// explains all of its flags.
func TestHelp(t *testing.T) {
	a := &app{now: time.Now, stdout: &bytes.Buffer{}}
	listed := map[string]bool{}
	for line := range strings.Lines(overview) {
		if len(line) > 12 && line[11] >= 'a' && line[11] <= 'z' && line[0] != '"' && !strings.HasPrefix(line, "standing") &&
			!strings.HasPrefix(line, "Exit") && !strings.HasPrefix(line, "Flags") {
			word, _, _ := strings.Cut(line[11:], " ")
			listed[word] = true
		}
	}
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		for _, name := range flagNames(c) {
			if !strings.Contains(c.Long, "--"+name) {
				t.Errorf("%s --help does not explain --%s", c.CommandPath(), name)
			}
		}
		checkWords(t, c.CommandPath()+" --help", c.Long)
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	var exist []string
	for _, c := range a.commands() {
		exist = append(exist, c.Name())
		if !listed[c.Name()] {
			t.Errorf("help does not list %s", c.Name())
		}
		delete(listed, c.Name())
		check(c)
	}
	for name := range listed {
		t.Errorf("help lists %q, which does not exist", name)
	}
	want := strings.Fields("check demo enrol fsck issue join key keygen monitor new programme renew report revoke show status submit trust verify watch")
	if slices.Sort(exist); !slices.Equal(exist, want) {
		t.Errorf("commands %v", exist)
	}
	for _, name := range exist {
		var out bytes.Buffer
		if code := Main(context.Background(), []string{name, "--help"}, strings.NewReader(""), &out, &out); code != 0 || out.Len() < 80 {
			t.Errorf("%s --help: code %d, %q", name, code, out.String())
		}
	}
}
