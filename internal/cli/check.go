package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

// checkFlags are those of check and of report save.
type checkFlags struct {
	log         string
	offline     bool
	failOn      []string
	unwitnessed bool
}

func (a *app) checkCommand() *cobra.Command {
	var f checkFlags
	cmd := command("check SBOM", `
Tells for each component of an SBOM which attestations are about it, by whom, and
whether they stand, as of when; what was withdrawn and why; and what to look at
first. Reads CycloneDX 1.2 to 1.7 (JSON, XML) and SPDX 2.2 and 2.3 (JSON); "-" reads
standard input.

Nobody learns what is in the SBOM. Every log that you trust is synced, as all its
clients sync it, into a copy of your own, which is verified. What is about your
components is looked up there, proven, and the proofs are verified again. Components
that cannot be looked up are listed, too.

  --offline              make no network call; answer from the copies at hand
  --max-age AGE          how old the answer of a log may be (default: 24h)
  --fail-on VERDICT,…    the verdicts of components for which the exit code is not 0:
                         `+strings.ToLower(strings.Join(check.Verdicts()[2:8], ", "))+`,
                         `+strings.ToLower(strings.Join(check.Verdicts()[8:], ", "))+`
                         (default: all that do not stand, and all that nothing can be
                         told of, but unnamed)
  --log ORIGIN|URL       ask this log only
  --allow-unwitnessed    take a log's word alone, where the trust file says quorum none
  -o text|json|html|cyclonedx
                         html is one page, to read and to print, that needs nothing
                         else; cyclonedx is the SBOM with what was found in it, as
                         claims of the parties that make them, and of nobody else`,
		cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
			return a.check(cmd.Context(), args[0], f)
		})
	cmd.Annotations = map[string]string{outputs: "html cyclonedx"}
	f.define(cmd)
	return cmd
}

func (f *checkFlags) define(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.offline, "offline", false, "")
	cmd.Flags().StringSliceVar(&f.failOn, "fail-on", nil, "")
	cmd.Flags().StringVar(&f.log, "log", "", "")
	cmd.Flags().BoolVar(&f.unwitnessed, "allow-unwitnessed", false, "")
}

func (a *app) check(ctx context.Context, file string, f checkFlags) error {
	q, err := a.question(file, f)
	if err != nil {
		return err
	}
	evidence, unreachable := a.gather(ctx, q.logs, q.policy, q.doc.Components, f.offline)
	r, err := a.judge(q.doc, evidence, q.policy)
	if err != nil {
		return err
	}
	code := q.exit(r, unreachable)
	switch a.output {
	case "html":
		err = r.HTML(a.stdout)
	case "cyclonedx":
		err = r.CycloneDX(a.stdout, q.doc, q.data)
	case "json":
		err = r.JSON(a.stdout, code)
	default:
		r.Text(a.say)
	}
	if errors.Is(err, check.ErrAnnotated) {
		return usage("%s: %w", file, err).hinted("name the SBOM that it was made from")
	}
	if err != nil {
		return err
	}
	return quiet(code)
}

// question is what is to be known about an SBOM, and whom to ask.
type question struct {
	checkFlags
	verdicts []string // that fail; nil: the usual ones
	policy   *trust.Policy
	logs     []target
	doc      *sbom.Document
	data     []byte // of the SBOM
}

func (a *app) question(file string, f checkFlags) (*question, error) {
	q := &question{checkFlags: f}
	var err error
	if q.verdicts, err = parseVerdicts(f.failOn); err != nil {
		return nil, err
	}
	if q.policy, err = a.policy(); err != nil {
		return nil, err
	}
	if q.logs, err = pickLogs(q.policy, f.log); err != nil {
		return nil, err
	}
	q.doc, q.data, err = a.readSBOM(file)
	return q, err
}

// exit returns the exit code for the answer. unreachable says that some log
// could not be asked, which may pass.
func (q *question) exit(r *check.Result, unreachable bool) int {
	return exitOf(r, q.verdicts, q.unwitnessed, unreachable)
}

func exitOf(r *check.Result, verdicts []string, unwitnessed, unreachable bool) int {
	code := r.ExitCode(verdicts, unwitnessed)
	if code == exitCannotTell && unreachable {
		code = exitUnreachable
	}
	return code
}

// parseVerdicts reads --fail-on.
func parseVerdicts(words []string) ([]string, error) {
	verdicts, err := check.ParseVerdicts(words)
	if err != nil {
		return nil, usage("--fail-on: %v", err).hinted("it takes " + strings.ToLower(strings.Join(check.Verdicts(), ", ")))
	}
	return verdicts, nil
}

// pickLogs returns the log that name means, or all that are trusted.
func pickLogs(p *trust.Policy, name string) ([]target, error) {
	if name != "" {
		l, err := pickLog(p, name)
		return []target{l}, err
	}
	var all []target
	for _, l := range p.Logs() {
		all = append(all, at(l, ""))
	}
	return all, nil
}

// readSBOM returns an SBOM, and its bytes.
func (a *app) readSBOM(file string) (*sbom.Document, []byte, error) {
	data, err := a.readFile(file, sbom.MaxSize)
	if err != nil {
		return nil, nil, err
	}
	doc, err := sbom.Parse(data)
	if e, ok := errors.AsType[*sbom.Error](err); ok {
		return nil, nil, usage("%s: %w", file, err).hinted(e.Next)
	}
	return doc, data, err
}

// askAtOnce is the number of logs that are synced at a time: one that does not
// answer does not hold up the others, and each takes memory.
const askAtOnce = 4

// gather syncs the logs and has the copies prove what they have about the
// components. It reports whether a log was not reached.
func (a *app) gather(ctx context.Context, logs []target, policy *trust.Policy, components []sbom.Component, offline bool) (all []check.Evidence, unreachable bool) {
	answers := make([]answer, len(logs))
	var g errgroup.Group
	g.SetLimit(askAtOnce)
	for i, l := range logs {
		progress := func(done, size uint64) { a.progress("%s: %d of %d leaves", l.Origin, done, size) }
		if len(logs) > 1 {
			progress = nil // one line is not enough for several
		}
		g.Go(func() error {
			answers[i] = a.askCopy(ctx, l, policy, components, offline, progress)
			return nil
		})
	}
	_ = g.Wait() // answers have them
	a.progress("")
	for i, l := range logs {
		w := answers[i]
		if w.missed != nil {
			unreachable = unreachable || client.Temporary(w.missed)
			a.tell("standing: %s could not be synced: %v", l.Origin, w.missed)
		}
		a.keepEvidence(w.err)
		all = append(all, check.Evidence{Origin: l.Origin, Bundles: w.bundles, Err: w.err, Contradicts: contradicts(w.err)})
	}
	return all, unreachable
}

// answer is what the copy of a log has about the components, or why there is
// nothing. missed says why it is of the last time.
type answer struct {
	bundles     [][]byte
	err, missed error
}

// contradicts reports whether err is evidence against a log.
func contradicts(err error) bool {
	_, ok := errors.AsType[*mirror.EvidenceError](err)
	return ok
}

// askCopy syncs one log, and asks the copy. Where the log cannot be had, the
// copy answers as of the last time.
func (a *app) askCopy(ctx context.Context, l target, policy *trust.Policy, components []sbom.Component, offline bool, progress func(done, size uint64)) (out answer) {
	dir, err := mirror.DefaultDir(l.Origin)
	if err != nil {
		return answer{err: err}
	}
	m, err := mirror.Open(ctx, mirror.Config{Dir: dir, Origin: l.Origin, Policy: policy, Now: a.now})
	if err != nil {
		return answer{err: err}
	}
	defer m.Close()
	if !offline {
		out.missed = syncCopy(ctx, l, m, progress)
		if contradicts(out.missed) || errors.Is(out.missed, mirror.ErrDamaged) || ctx.Err() != nil {
			return answer{err: out.missed}
		}
	}
	s, err := m.State(ctx)
	if errors.Is(err, mirror.ErrEmpty) && offline {
		err = fmt.Errorf("%w: run this once without --offline", err)
	}
	if err != nil {
		out.err = err
		return out
	}
	defer s.Close()
	out.bundles, err = check.Ask(components, s)
	out.err = m.Explain(err)
	return out
}

func syncCopy(ctx context.Context, l target, m *mirror.Mirror, progress func(done, size uint64)) error {
	c, err := l.dial(client.Config{})
	if err != nil {
		return err
	}
	return m.Sync(ctx, c, progress)
}

// judge judges the evidence, and remembers the trees it shows.
func (a *app) judge(doc *sbom.Document, evidence []check.Evidence, policy *trust.Policy) (*check.Result, error) {
	path, err := a.trustPath()
	if err != nil {
		return nil, err
	}
	seen, err := a.loadSeen(path)
	if err != nil {
		a.note("standing: what was seen before cannot be read: %v", err)
	}
	r := check.Judge(doc, evidence, verify.Options{Policy: policy, Now: a.now(), MaxAge: a.maxAge, Seen: seen})
	for _, l := range r.Logs {
		root, err := hex.DecodeString(l.Root)
		if err != nil || len(root) != 32 || l.Size == 0 {
			continue
		}
		if err := saveSeen(path, policy, seen, trust.Body{Origin: l.Origin, Size: l.Size, Root: verify.Hash(root)}); err != nil {
			a.note("standing: this tree is not remembered: %v", err)
		}
	}
	return r, nil
}
