package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/standing-log/standing/internal/node"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"standing": func() {
			os.Exit(Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
		"hook": func() { os.Exit(hook()) },
	})
}

// hook is a program for a monitor: it adds what it gets to hook.got, unless there
// is a file hook.fails.
func hook() int {
	if _, err := os.Stat("hook.fails"); err == nil {
		fmt.Fprintln(os.Stderr, "no room")
		return 7
	}
	got, err := os.OpenFile("hook.got", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = io.Copy(got, os.Stdin)
	}
	if err = errors.Join(err, got.Close()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestScripts runs testdata/*.txt. Scripts whose names begin with log- have a
// log of their own at $LOG, with its files in $NODE.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			vectors, err := filepath.Abs("../../personality/verify/testdata")
			if err != nil {
				return err
			}
			env.Setenv("VECTORS", vectors)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			if !strings.HasPrefix(filepath.Base(env.WorkDir), "script-log-") {
				return nil
			}
			return startLog(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":    checkCode,
			"id":      setID,
			"replace": replace,
			"export":  exportLog,
		},
	})
}

func startLog(env *testscript.Env) error {
	dir := filepath.Join(env.WorkDir, "node")
	url, stop, err := runLog(dir, "log.example/one")
	if err != nil {
		return err
	}
	env.Defer(func() {
		if err := stop(); err != nil {
			env.T().Log(err)
		}
	})
	env.Setenv("LOG", url)
	env.Setenv("NODE", dir)
	env.Setenv("NOW", time.Now().UTC().Format(time.RFC3339))
	env.Setenv("SOON", time.Now().AddDate(0, 0, 30).Format(time.DateOnly))
	return nil
}

// runLog runs a new log with its files in dir, until stop is called.
func runLog(dir, origin string) (url string, stop func() error, err error) {
	quiet := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			cancel()
		}
	}()
	if err := node.Init(ctx, dir, origin, quiet); err != nil {
		return "", nil, err
	}
	n, err := node.Open(ctx, dir, quiet)
	if err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, l) }()
	stop = func() error {
		cancel()
		<-done
		return n.Close()
	}
	return "http://" + l.Addr().String(), stop, n.WaitPublished(ctx, 2)
}

// exportLog runs "export DIR": the log at $LOG goes into files.
func exportLog(ts *testscript.TestScript, _ bool, args []string) {
	_, err := node.Export(context.Background(), ts.Getenv("NODE"), ts.MkAbs(args[0]), ts.Getenv("LOG"), slog.New(slog.DiscardHandler), nil)
	ts.Check(err)
}

// checkCode runs "code N ARGS…": standing ARGS must exit with N.
func checkCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N ARGS...")
	}
	err := ts.Exec("standing", args[1:]...)
	got := "0"
	if err != nil {
		_, got, _ = strings.Cut(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %q, want %s: %v", got, args[0], err)
	}
}

// replace replaces the one occurrence of OLD in a file: "replace FILE OLD NEW".
func replace(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if strings.Count(text, args[1]) != 1 {
		ts.Fatalf("%s does not have %q once", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o644))
}

// setID sets a variable to the first printed id in a file: "id VAR FILE".
func setID(ts *testscript.TestScript, _ bool, args []string) {
	for _, word := range strings.FieldsFunc(ts.ReadFile(args[1]), func(r rune) bool { return strings.ContainsRune(" \n\",", r) }) {
		kind, hex, ok := strings.Cut(word, ":")
		if ok && len(hex) == 64 && (kind == "att" || kind == "evt" || kind == "party" || kind == "prog") {
			ts.Setenv(args[0], word)
			return
		}
	}
	ts.Fatalf("no id in %s", args[1])
}
