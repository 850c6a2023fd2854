package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

// verifyFlags are those of verify alone.
type verifyFlags struct {
	document    string
	at          string
	minSize     uint64
	claims      []string
	unwitnessed bool
}

func (a *app) verifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := command("verify FILE [REVOCATION…]", `
Judges the bundle FILE under your trust file, and says what was attested, by whom,
and whether it stood, as of when. Never uses the network. "-" reads standard
input. The largest tree seen of each log is kept beside the trust file, so that a
log that goes back is noticed; FILE.pins beside it is read too ("standing trust").

Signed entries among the files are revocations at hand, which the log may not have:
one by a key of the attestation's party counts all the same.

FILE may also be evidence against a log (*.evidence.json): exit code 4 if it proves
what it says under the keys of your trust file, 3 if it proves nothing. Or a log's
promise (*.promise), which is compared with the copy of the log that check and watch
keep: 0 if it was kept, 4 if not, 3 if the copy does not reach so far.

  --max-age AGE          how old the answer may be (default: 24h)
  --at TIME              judge as of then, RFC 3339 or Unix seconds: how it stood, by
                         what there was
  --claims ID,ID         the claims you rely on: what is PARTIAL is good enough if none
                         of them is withdrawn
  --min-size N           the least size of the log that is good enough
  --document FILE        the document that a bundle attests by its digest
  --allow-unwitnessed    take a log's word alone, where the trust file says quorum none`,
		cobra.MinimumNArgs(1), func(cmd *cobra.Command, args []string) error {
			return a.verify(cmd.Context(), args, f)
		})
	cmd.Flags().BoolVar(&f.unwitnessed, "allow-unwitnessed", false, "")
	cmd.Flags().StringVar(&f.document, "document", "", "")
	cmd.Flags().StringVar(&f.at, "at", "", "")
	cmd.Flags().StringSliceVar(&f.claims, "claims", nil, "")
	cmd.Flags().Uint64Var(&f.minSize, "min-size", 0, "")
	return cmd
}

func (a *app) verify(ctx context.Context, files []string, f verifyFlags) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	at, err := parseTime(f.at)
	if err != nil {
		return err
	}
	in, err := a.readEvidence(files)
	if err != nil {
		return err
	}
	switch {
	case evidence.Is(in.bundle):
		return a.verifyEvidence(files[0], in.bundle, policy)
	case promise.Is(in.bundle):
		return a.verifyPromise(ctx, files[0], in.bundle, policy)
	}
	path, err := a.trustPath()
	if err != nil {
		return err
	}
	seen, err := a.loadSeen(path)
	if err != nil {
		a.note("standing: what was seen before cannot be read: %v", err)
	}
	r := verify.Bundle(in.bundle, verify.Options{Policy: policy, Now: a.now(), At: at, MaxAge: a.maxAge,
		MinSize: f.minSize, Seen: seen, Revocations: in.revocations, Claims: f.claims})
	if r.Err == nil {
		// A reader that cannot write still gets its answer.
		if err := saveSeen(path, policy, seen, trust.Body{Origin: r.Origin, Size: r.Size, Root: r.Root}); err != nil {
			a.note("standing: this tree is not remembered: %v", err)
		}
	}
	if !at.IsZero() {
		a.say("judged as of %s", clock(at))
	}
	a.printReport(r, in, f.unwitnessed)
	a.noteClaims(r, f.claims)
	if r.Err == nil && f.document != "" {
		if err := a.matchDocument(r, f.document); err != nil {
			return err
		}
	}
	code := r.ExitCode(f.unwitnessed)
	out := reportOutput(r, in, code)
	if !at.IsZero() {
		out.At = at.UTC().Format(time.RFC3339)
	}
	a.result(out)
	if code != exitStands {
		a.note("hint: %s", verdictHint(r))
	}
	return quiet(code)
}

// noteClaims warns of claims that are relied on and were never made: no verdict
// says so.
func (a *app) noteClaims(r *verify.Report, relied []string) {
	for _, result := range r.Results {
		if result.Record == nil {
			continue
		}
		var items []entry.Claim
		if c := result.Entry.Attestation.Claims; c != nil {
			items = c.Items
		}
		for _, id := range relied {
			if !slices.ContainsFunc(items, func(c entry.Claim) bool { return c.ID == id }) {
				a.note("standing: %s says nothing about %.80q", result.ID, id)
			}
		}
	}
}

// parseTime parses a time of the command line; "" is none.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if n, err := strconv.ParseUint(s, 10, 40); err == nil {
		return time.Unix(int64(n), 0), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Unix() < 0 {
		return time.Time{}, usage("--at %.40q is no time", s).hinted("write 2026-01-31T12:00:00Z, or Unix seconds")
	}
	return t, nil
}

// atHand is what verify is given.
type atHand struct {
	bundle      []byte // or evidence against a log, or a promise
	revocations [][]byte
	names       []string // of the files of revocations
}

// readEvidence tells a bundle from signed entries.
func (a *app) readEvidence(files []string) (*atHand, error) {
	var in atHand
	for _, file := range files {
		data, err := a.readFile(file, evidence.MaxSize)
		if err != nil {
			return nil, err
		}
		if _, err := entry.Canonicalize(data); err == nil {
			in.revocations, in.names = append(in.revocations, data), append(in.names, file)
			continue
		}
		if in.bundle != nil {
			return nil, usage("%s is no signed entry, and one bundle at a time is judged", file).hinted("name one bundle, and revocations that are about it")
		}
		in.bundle = data
	}
	if in.bundle == nil {
		return nil, usage("%s: a signed entry, and no bundle", files[0]).hinted("name the bundle that it is about too")
	}
	return &in, nil
}

// matchDocument looks for the document among what the bundle attests.
func (a *app) matchDocument(r *verify.Report, file string) error {
	digest, err := digestFile(file)
	if err != nil {
		return err
	}
	for _, result := range r.Results {
		if s := statementOf(result.Entry); s != nil && fmt.Sprintf("sha256:%x", s.SHA256) == digest {
			a.say("%s is the document of %s", file, result.ID)
			return nil
		}
	}
	return cannotTell("%s, %s, is not the document of any attestation in the bundle", file, digest).
		hinted("find the bundle of this document, or the document of this bundle")
}

func statementOf(e *entry.Entry) *entry.Statement {
	if e == nil || e.Attestation == nil {
		return nil
	}
	return e.Attestation.Statement
}
