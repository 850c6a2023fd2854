package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/report"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

const reportSuffix = ".report.json"

func (a *app) reportCommand() *cobra.Command {
	cmd := command("report", `
The file to keep about an SBOM that was checked:

  standing report save SBOM      check it, and write what was found, with all proofs
  standing report verify FILE    find it again, from the file alone

Each says more with --help.`, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return cmd.Help() })
	cmd.AddCommand(a.reportSaveCommand(), a.reportVerifyCommand())
	return cmd
}

// saveFlags are those of report save.
type saveFlags struct {
	checkFlags
	file string
}

func (a *app) reportSaveCommand() *cobra.Command {
	var f saveFlags
	cmd := command("save SBOM", `
Checks an SBOM as "standing check" does, and writes the file to keep: the verdicts,
the bundles that prove them, your trust file and its pins, and the digest of the SBOM.

The SBOM is not in the file; its components are, with names, versions, package URLs
and digests, and so are the URLs in your trust file. "standing report verify" needs
nothing but the file.

  --file FILE            where to write it (default: SBOM.report.json)
  --offline              make no network call; answer from the copies at hand
  --max-age AGE          how old the answer of a log may be (default: 24h)
  --fail-on VERDICT,…    as in "standing check"
  --log ORIGIN|URL       ask this log only
  --allow-unwitnessed    take a log's word alone, where the trust file says quorum none

The exit code is that of "standing check".`,
		cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
			return a.reportSave(cmd.Context(), args[0], f)
		})
	cmd.Flags().StringVar(&f.file, "file", "", "")
	f.define(cmd)
	return cmd
}

func (a *app) reportSave(ctx context.Context, file string, f saveFlags) error {
	// A report counts seconds.
	if a.maxAge = a.maxAge.Truncate(time.Second); a.maxAge == 0 {
		return usage("--max-age is less than a second")
	}
	if f.file == "" {
		if file == "-" {
			return usage("standard input has no name").hinted("say where to write the report with --file")
		}
		f.file = file + reportSuffix
	}
	q, err := a.question(file, f.checkFlags)
	if err != nil {
		return err
	}
	evidence, unreachable := a.gather(ctx, q.logs, q.policy, q.doc.Components, f.offline)
	now := a.now().Truncate(time.Second)
	a.now = func() time.Time { return now }
	r, err := a.judge(q.doc, evidence, q.policy)
	if err != nil {
		return err
	}
	remember(evidence, r)
	data, err := report.Make(q.doc, evidence, q.policy, a.maxAge, r)
	if err != nil {
		return err
	}
	if err := keyfile.WriteNew(f.file, data, 0o644); errors.Is(err, fs.ErrExist) {
		return usage("%w", err).hinted("a report is never written over; name another file with --file")
	} else if err != nil {
		return err
	}
	r.Text(a.say)
	a.say("wrote %s", f.file)
	code := q.exit(r, unreachable)
	a.result(struct {
		File string `json:"file"`
		*check.Result
		Exit int `json:"exit"`
	}{f.file, r, code})
	return quiet(code)
}

// remember notes with the evidence of a log that it contradicts what was seen
// before: the report has nothing else to find that out again by.
func remember(evidence []check.Evidence, r *check.Result) {
	for i, l := range r.Logs {
		if l.Verdict == verify.Rollback.String() && evidence[i].Err == nil {
			evidence[i].Err, evidence[i].Contradicts = errors.New(l.Error), true
		}
	}
}

// reportFlags are those of report verify.
type reportFlags struct {
	at          string
	now         bool
	log         string
	offline     bool
	sbom        string
	failOn      []string
	unwitnessed bool
}

func (a *app) reportVerifyCommand() *cobra.Command {
	var f reportFlags
	cmd := command("verify FILE", `
Finds again what a report says, from its proofs, as of its time: a report in which a
verdict, a component or a proof was exchanged fails, with exit code 4. Needs nothing
but the file, and never uses the network unless --now is said.

It is judged under the trust file in it, which says whom its maker believed. Where it
is not yours, name a trust file of your own with --trust.

  --at TIME              then judge as of another time, RFC 3339 or Unix seconds, by
                         the same proofs
  --now                  then judge as of now: sync the logs that you trust, and say
                         what is different
  --log ORIGIN|URL       with --now: ask this log only
  --offline              with --now: make no network call; answer from the copies at
                         hand
  --sbom SBOM            compare it with the SBOM that the report is about
  --fail-on VERDICT,…    as in "standing check"
  --allow-unwitnessed    take a log's word alone, where the trust file says quorum none

If the report holds, the exit code is that of "standing check" as of that time.`,
		cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
			return a.reportVerify(cmd.Context(), args[0], f)
		})
	cmd.Flags().StringVar(&f.at, "at", "", "")
	cmd.Flags().BoolVar(&f.now, "now", false, "")
	cmd.Flags().StringVar(&f.log, "log", "", "")
	cmd.Flags().BoolVar(&f.offline, "offline", false, "")
	cmd.Flags().StringVar(&f.sbom, "sbom", "", "")
	cmd.Flags().StringSliceVar(&f.failOn, "fail-on", nil, "")
	cmd.Flags().BoolVar(&f.unwitnessed, "allow-unwitnessed", false, "")
	return cmd
}

func (a *app) reportVerify(ctx context.Context, file string, f reportFlags) error {
	failOn, err := parseVerdicts(f.failOn)
	if err != nil {
		return err
	}
	at, err := parseTime(f.at)
	if err != nil {
		return err
	}
	if f.now && f.at != "" || (f.offline || f.log != "") && !f.now {
		return usage("--now is as of now, and --offline and --log are for --now").hinted("say --at TIME, or --now, or --now --offline")
	}
	saved, err := a.openReport(file, f.sbom)
	if err != nil {
		return err
	}
	a.sayReport(file, saved)
	r, unreachable, err := a.again(ctx, saved, at, f)
	if err != nil {
		return err
	}
	differ := differences(saved.Result, r)
	for _, d := range differ {
		a.say("  %s in the report, %s as of %s: %s", d.Saved, d.Now, clock(r.Now), saved.Result.Components[d.Index].Label())
	}
	r.Text(a.say)
	code := exitOf(r, failOn, f.unwitnessed, unreachable)
	a.result(struct {
		File   string       `json:"file"`
		Time   time.Time    `json:"time"` // of the report, which holds
		Differ []difference `json:"differ"`
		*check.Result
		Exit int `json:"exit"`
	}{file, saved.Time, differ, r, code})
	return quiet(code)
}

// openReport reads a report that holds, and is about the SBOM if one is named.
func (a *app) openReport(file, sbom string) (*report.Report, error) {
	data, err := a.readFile(file, report.MaxSize)
	if err != nil {
		return nil, err
	}
	fails := func(err error) error {
		return &failure{code: exitEvidence, err: fmt.Errorf("%s: %w", file, err),
			hint: "do not rely on it; get the file again from where you keep it, and keep this one if the failure stays"}
	}
	saved, err := report.Open(data)
	if err != nil {
		return nil, fails(err)
	}
	if sbom == "" {
		return saved, nil
	}
	doc, _, err := a.readSBOM(sbom)
	if err != nil {
		return nil, err
	}
	if err := saved.IsAbout(doc); err != nil {
		return nil, fails(err)
	}
	return saved, nil
}

// sayReport says what holds, and by whose word.
func (a *app) sayReport(file string, saved *report.Report) {
	a.say("%s holds: its proofs show what it says, as of %s, under the trust file in it", file, clock(saved.Time))
	for _, l := range saved.Policy.Logs() {
		if !slices.ContainsFunc(saved.Evidence, func(e check.Evidence) bool { return e.Origin == l.Origin }) {
			a.say("  %s is trusted there, and was not asked", l.Origin)
		}
	}
	if a.trustFile == "" {
		a.note("standing: whom to believe is for you to say: name a trust file of your own with --trust if this one is not yours")
	}
}

// again judges a report as of another time, under another trust file, or by what
// the logs show now.
func (a *app) again(ctx context.Context, saved *report.Report, at time.Time, f reportFlags) (r *check.Result, unreachable bool, err error) {
	policy := saved.Policy
	if a.trustFile != "" || f.now {
		if policy, err = a.policy(); err != nil {
			return nil, false, err
		}
	}
	if !f.now {
		if at.IsZero() {
			at = saved.Time
		}
		return saved.Judge(policy, at), false, nil
	}
	logs, missing := reportLogs(policy, saved)
	if f.log != "" {
		if logs, err = pickLogs(policy, f.log); err != nil {
			return nil, false, err
		}
	}
	evidence, unreachable := a.gather(ctx, logs, policy, saved.Document.Components, f.offline)
	r, err = a.judge(saved.Document, append(evidence, missing...), policy)
	return r, unreachable, err
}

// reportLogs returns the logs that a report is by, and what shows nothing now
// because it is not trusted any more.
func reportLogs(policy *trust.Policy, saved *report.Report) (logs []target, missing []check.Evidence) {
	for _, e := range saved.Evidence {
		if l, ok := policy.Log(e.Origin); ok {
			logs = append(logs, at(l, ""))
		} else {
			missing = append(missing, check.Evidence{Origin: e.Origin, Err: errors.New("it is not in your trust file")})
		}
	}
	return logs, missing
}

// difference is a component whose verdict is not the one in the report.
type difference struct {
	Index int    `json:"index"`
	Saved string `json:"saved"`
	Now   string `json:"now"` // as judged here
}

func differences(saved, now *check.Result) []difference {
	out := []difference{}
	for i, c := range saved.Components {
		if n := now.Components[i]; n.Verdict != c.Verdict {
			out = append(out, difference{i, c.Verdict, n.Verdict})
		}
	}
	return out
}
