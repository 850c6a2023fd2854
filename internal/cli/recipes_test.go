package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// TestRecipes: every command in docs exists, with its flags and as many
// arguments as it takes; what is YAML can be read; nothing promises.
func TestRecipes(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d recipes, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		checkWords(t, file, string(text))
		n := 0
		for i, part := range strings.Split(string(text), "```") {
			if i%2 == 0 {
				continue
			}
			kind, block, _ := strings.Cut(part, "\n")
			if kind == "yaml" {
				if err := yaml.Unmarshal([]byte(block), new(any)); err != nil {
					t.Errorf("%s: %v in %s", file, err, block)
				}
			}
			for _, words := range standingCommands(block) {
				n++
				checkCommand(t, file, words)
			}
		}
		// Commands in running text, between single back quotes.
		for i, part := range strings.Split(strings.ReplaceAll(string(text), "```", ""), "`") {
			if i%2 == 1 && !strings.Contains(part, "\n") {
				for _, words := range standingCommands(part) {
					checkCommand(t, file, words)
				}
			}
		}
		if n < 4 {
			t.Errorf("%s has %d commands", file, n)
		}
	}
}

func checkCommand(t *testing.T, file string, words []string) {
	t.Helper()
	a := &app{now: time.Now, stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	root := a.root()
	cmd, rest, err := root.Find(words)
	if err != nil || cmd == root {
		t.Errorf("%s: there is no command %q", file, words)
		return
	}
	if err := cmd.ParseFlags(rest); err != nil {
		if !errors.Is(err, pflag.ErrHelp) {
			t.Errorf("%s: %q: %v", file, words, err)
		}
		return
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		t.Errorf("%s: %q: %v", file, words, err)
	}
	if err := root.PersistentPreRunE(cmd, nil); err != nil {
		t.Errorf("%s: %q: %v", file, words, err)
	}
}

// standingCommands finds the commands of this program in a block of shell, of
// YAML that has shell in it, or in a text.
func standingCommands(block string) (out [][]string) {
	for line := range strings.Lines(strings.ReplaceAll(block, "|\n", "| ")) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " # ")
		for _, prefix := range []string{"$ ", "- ", "run: "} {
			line = strings.TrimPrefix(line, prefix)
		}
		for _, command := range split(line, "|&;>") {
			if words := split(command, " "); len(words) > 1 && words[0] == "standing" {
				out = append(out, words[1:])
			}
		}
	}
	return out
}

// split cuts at any of the bytes, outside of quotes, and drops what is empty.
func split(s, at string) (out []string) {
	var word strings.Builder
	quote := byte(0)
	end := func() {
		if w := strings.TrimSpace(word.String()); w != "" {
			out = append(out, w)
		}
		word.Reset()
	}
	for i := range len(s) {
		switch c := s[i]; {
		case quote == 0 && strings.IndexByte(at, c) >= 0:
			end()
			continue
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		}
		word.WriteByte(s[i])
	}
	end()
	return out
}
