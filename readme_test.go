// Package standing_test runs what README.md tells people to run.
package standing_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/standing-log/standing/internal/cli"
	"github.com/standing-log/standing/internal/daemon"
)

func TestMain(m *testing.M) {
	withSignals := func(run func(ctx context.Context) int) func() {
		return func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			code := run(ctx)
			stop()
			os.Exit(code)
		}
	}
	testscript.Main(m, map[string]func(){
		"standing": withSignals(func(ctx context.Context) int {
			return cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		}),
		"standingd": withSignals(func(ctx context.Context) int {
			return daemon.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
		}),
	})
}

// TestREADME runs every command block of README.md, in order, as one script
// that stops at the first failure.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	var script []string
	for _, command := range commands(t, string(readme)) {
		command = strings.ReplaceAll(command, "127.0.0.1:2025", address)
		if rest, ok := strings.CutPrefix(command, "make "); ok {
			command = fmt.Sprintf("make -C %q %s", root, rest)
		}
		script = append(script, command)
		if strings.HasSuffix(command, "&") {
			script = append(script, "daemon=$!", "trap 'kill $daemon; wait $daemon' EXIT",
				fmt.Sprintf("for i in $(seq 100); do curl -sf http://%s/healthz && break; sleep 0.1; done", address))
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "readme.txtar"), []byte("exec sh -eux readme.sh\nstdout 'REVOKED as of'\nstdout 'ACTIVE'\n-- readme.sh --\n"+strings.Join(script, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: dir, RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			// make and go are those of whoever runs the test.
			for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOFLAGS", "GOPROXY"} {
				if v := goEnv(t, name); v != "" {
					e.Setenv(name, v)
				}
			}
			return nil
		},
	})
}

// commands returns the lines of the console blocks that begin with a prompt.
func commands(t *testing.T, readme string) []string {
	var out []string
	for i, part := range strings.Split(readme, "```") {
		block, isConsole := strings.CutPrefix(part, "console\n")
		if i%2 == 0 {
			continue
		}
		if !isConsole {
			t.Errorf("a code block that is no console block: %.40q", part)
		}
		for line := range strings.Lines(block) {
			command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ ")
			if !ok {
				t.Errorf("a line of a console block that is no command: %q", line)
			}
			out = append(out, command)
		}
	}
	if len(out) < 10 {
		t.Fatalf("README.md has %d commands", len(out))
	}
	return out
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func goEnv(t *testing.T, name string) string {
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatalf("go env %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}
