// Package cli is the command standing.
//
// [Main] runs it and returns the exit code. Each command is a file of its own;
// this one has what they share.
//
// Invariants:
//
//   - Help lists the commands that exist and no others.
//   - Whatever is signed is shown first and saved before any network call.
//   - Files are written whole or not at all; keys and entries are never
//     overwritten.
//   - verify, show, trust show and check --offline make no network call; what
//     check asks for does not depend on the SBOM.
//   - Every failure is one line that says what, and one that begins "hint: "
//     with the next step.
//   - No text promises anything (a test holds all of it against a list of
//     words): "X attested Y on T; it stood as of U".
package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// Exit codes.
const (
	exitStands      = 0  // or done
	exitNot         = 1  // does not stand, or was refused
	exitUsage       = 2  // the command line, or a file named in it, is wrong
	exitCannotTell  = 3  // nothing can be said
	exitEvidence    = 4  // evidence fails or contradicts
	exitUnreachable = 75 // no answer from the log; nothing is lost
)

// outputs annotates a command that has more of them than text and json.
const outputs = "outputs"

// app is one run of the command.
type app struct {
	stdin          *bufio.Reader
	stdout, stderr io.Writer
	asks           bool // somebody is there to answer
	terminal       bool // stderr is looked at
	now            func() time.Time

	// Flags of all commands.
	trustFile string
	output    string
	maxAge    time.Duration
}

// Main runs the command with args, which do not include its name.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: bufio.NewReader(stdin), stdout: stdout, stderr: stderr, now: time.Now,
		asks: isTerminal(stdin), terminal: isTerminal(stderr)}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitStands
	}
	return a.report(err)
}

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// root returns the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "standing", SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("no such command: %.80q", args[0]).hinted("standing --help lists the commands")
			}
			return cmd.Help()
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetHelpCommand(&cobra.Command{Hidden: true, Use: "no-help"})
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%v", err).hinted(cmd.CommandPath() + " --help lists the flags")
	})
	root.SetHelpFunc(a.help)
	f := root.PersistentFlags()
	f.StringVar(&a.trustFile, "trust", "", "")
	f.StringVarP(&a.output, "output", "o", "text", "")
	f.DurationVar(&a.maxAge, "max-age", 24*time.Hour, "")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if known := append([]string{"text", "json"}, strings.Fields(cmd.Annotations[outputs])...); !slices.Contains(known, a.output) {
			return usage("-o %q is none of %s", a.output, strings.Join(known, ", "))
		}
		if a.maxAge <= 0 {
			return usage("--max-age %v is not positive", a.maxAge)
		}
		return nil
	}
	root.AddCommand(a.commands()...)
	return root
}

func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.checkCommand(), a.reportCommand(), a.watchCommand(), a.monitorCommand(), a.verifyCommand(), a.statusCommand(), a.showCommand(),
		a.newCommand(), a.issueCommand(), a.renewCommand(), a.revokeCommand(), a.submitCommand(),
		a.keygenCommand(), a.joinCommand(), a.enrolCommand(), a.keyCommand(), a.programmeCommand(), a.trustCommand(),
		a.demoCommand(), a.fsckCommand(),
	}
}

// failure is an error with its exit code and next step.
type failure struct {
	code int
	err  error // nil: everything was said already
	hint string
}

func (f *failure) Error() string { return fmt.Sprint(f.err) }
func (f *failure) Unwrap() error { return f.err }

func (f *failure) hinted(hint string) *failure { f.hint = hint; return f }

func usage(format string, args ...any) *failure {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...)}
}

func cannotTell(format string, args ...any) *failure {
	return &failure{code: exitCannotTell, err: fmt.Errorf(format, args...)}
}

// quiet ends the program with a code after everything was printed.
func quiet(code int) error {
	if code == exitStands {
		return nil
	}
	return &failure{code: code}
}

// report prints err and returns the exit code.
func (a *app) report(err error) int {
	f := classify(err)
	if f.err == nil {
		return f.code
	}
	if a.output == "json" {
		a.encode(a.stderr, map[string]any{"error": f.err.Error(), "code": reason.CodeOf(err), "hint": f.hint, "exit": f.code})
		return f.code
	}
	a.tell("standing: %v", f.err)
	if f.hint != "" {
		a.tell("hint: %s", f.hint)
	}
	return f.code
}

// classify finds exit code and next step of an error.
func classify(err error) *failure {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = &failure{code: exitCannotTell, err: err}
	}
	out := &failure{f.code, err, f.hint}
	if f.err == nil {
		out.err = nil
		return out
	}
	switch {
	case client.Temporary(err):
		out.code = exitUnreachable
	case ok:
	case reason.CodeOf(err) != "":
		out.code = exitNot
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist),
		errors.Is(err, keyfile.ErrExposed), errors.Is(err, keyfile.ErrFormat):
		out.code = exitUsage
	}
	if out.hint == "" {
		out.hint = nextStep(err)
	}
	return out
}

func nextStep(err error) string {
	if r, ok := errors.AsType[*client.RefusedError](err); ok && r.NextStep != "" {
		return r.NextStep
	}
	if code := reason.CodeOf(err); code != "" {
		return reason.Lookup(code).NextStep
	}
	switch {
	case errors.Is(err, client.ErrUnreachable):
		return "nothing is lost: run the same command again later"
	case errors.Is(err, fs.ErrNotExist):
		return "check the file's name"
	case errors.Is(err, keyfile.ErrExposed):
		return "chmod 600 it, and think about who may have read it"
	case errors.Is(err, keyfile.ErrFormat):
		return "name a key file that \"standing keygen\" or openssl genpkey wrote"
	case errors.Is(err, fs.ErrExist):
		return "move the file away, or choose another name: this program overwrites neither keys nor entries"
	}
	return ""
}

// say prints a line of text output; with -o json it prints nothing.
func (a *app) say(format string, args ...any) {
	if a.output == "text" {
		fmt.Fprintln(a.stdout, printable(fmt.Sprintf(format, args...)))
	}
}

// printable replaces what could make a terminal show something else than what
// is written: control characters and those that change the direction of text.
// Names and messages come from anybody.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// note prints a line for people, beside the output.
func (a *app) note(format string, args ...any) {
	if a.output != "json" {
		a.tell(format, args...)
	}
}

// tell prints a line to standard error, with -o json too: what must be read
// before consent is given.
func (a *app) tell(format string, args ...any) {
	fmt.Fprintln(a.stderr, printable(fmt.Sprintf(format, args...)))
}

// result prints v with -o json.
func (a *app) result(v any) {
	if a.output == "json" {
		a.encode(a.stdout, v)
	}
}

func (a *app) encode(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	// Only marshallable types come here, and a reader that has gone needs no
	// error.
	_ = enc.Encode(v)
}

// progress shows how far long work is, if somebody looks.
func (a *app) progress(format string, args ...any) {
	if a.terminal {
		fmt.Fprintf(a.stderr, "\r\x1b[K"+format, args...)
	}
}

// confirm asks for consent to what was just shown.
func (a *app) confirm(question string, yes bool) error {
	if yes {
		return nil
	}
	if !a.asks {
		return usage("nobody is there to answer %q", question).hinted("read what is shown, then run again with --yes")
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	line, err := a.stdin.ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return &failure{code: exitNot, err: errors.New("not confirmed; nothing was signed or stored")}
	}
	return nil
}

// readFile reads a file of at most max bytes; "-" is standard input.
func (a *app) readFile(path string, max int) ([]byte, error) {
	var r io.Reader = a.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(max)+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(data) > max {
		return nil, usage("%s exceeds %d bytes", path, max)
	}
	return data, nil
}

// withoutSuffix returns path without the first of the suffixes that it ends in.
func withoutSuffix(path string, suffixes ...string) string {
	for _, s := range suffixes {
		if cut, ok := strings.CutSuffix(path, s); ok && filepath.Base(cut) != "." && cut != "" {
			return cut
		}
	}
	return path
}

// sortSubjects sorts subjects as entry.Payload does.
func sortSubjects(subjects []entry.Subject) {
	slices.SortFunc(subjects, func(a, b entry.Subject) int { return strings.Compare(a.Name, b.Name) })
}
