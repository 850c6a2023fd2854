package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/verify"
)

// renewOptions are the flags of renew.
type renewOptions struct{ log, file, until, repo string }

func (a *app) renewCommand() *cobra.Command {
	var o renewOptions
	cmd := command("renew ID|FILE [FILE]", fmt.Sprintf(`
Carries an attestation of yours forward into a new draft, attestation.yaml: the same
answers, links and period of validity, from today on; the new one supersedes the
old. ID is asked of the log; FILE is its bundle or signed entry. Of a bundle of
several, name both.

Shows only what differs, on screen and beside each value ("was …"), and what to
look at before you run "standing issue": evidence that has changed in the
repository at hand, points that it now answers differently, claims that were
withdrawn, and what was checked more than %d days ago.

  --until DATE      end of validity (default: as long as before)
  --repo DIR        the repository (default: this directory, if it is the component's)
  --log ORIGIN|URL  the log to ask (default: the one you trust)
  --file FILE       write there instead`, oldDays),
		cobra.RangeArgs(1, 2), func(cmd *cobra.Command, args []string) error {
			return a.renew(cmd.Context(), args, o)
		})
	f := cmd.Flags()
	f.StringVar(&o.log, "log", "", "")
	f.StringVar(&o.file, "file", "attestation.yaml", "")
	f.StringVar(&o.until, "until", "", "")
	f.StringVar(&o.repo, "repo", "", "")
	return cmd
}

func (a *app) renew(ctx context.Context, args []string, o renewOptions) error {
	old, err := a.predecessor(ctx, args, o.log)
	if err != nil {
		return err
	}
	if err := old.renewable(); err != nil {
		return err
	}
	repo, err := a.repository(o.repo, old.components()...)
	if err != nil {
		return err
	}
	c := &carrier{old: old, repo: repo, now: a.now().UTC()}
	if o.until != "" {
		if c.until, err = parseDate(o.until); err != nil {
			return usage("--until: %v", err)
		}
	}
	d := c.carry()
	text := d.text(&c.remarks, c.now)
	if _, err := parseDraft(text); err != nil {
		return err
	}
	if err := keyfile.WriteNew(o.file, text, 0o644); err != nil {
		return err
	}
	a.say("wrote %s, which supersedes %s", o.file, old.entry.IDString())
	a.sayCarried(c, o.file)
	a.result(map[string]any{"file": o.file, "supersedes": old.entry.IDString(), "verdict": old.verdict,
		"changes": c.changes, "carried": c.carried, "look": c.look})
	return nil
}

// predecessor is the attestation that is to be renewed.
type predecessor struct {
	entry   *entry.Entry
	verdict string                   // "" if it is known as an entry only
	record  *mapfn.AttestationRecord // nil then
}

// predecessor finds the attestation that the arguments name.
func (a *app) predecessor(ctx context.Context, args []string, log string) (*predecessor, error) {
	id := args[0]
	if !strings.HasPrefix(id, "att:") {
		if len(args) > 1 {
			return nil, usage("%.80q is not att:<hex>", id).hinted("standing renew ID FILE")
		}
		return a.readPredecessor("", id)
	}
	if _, err := parseHash(strings.TrimPrefix(id, "att:")); err != nil {
		return nil, usage("%w", err)
	}
	if len(args) > 1 {
		return a.readPredecessor(id, args[1])
	}
	policy, err := a.policy()
	if err != nil {
		return nil, err
	}
	l, err := pickLog(policy, log)
	if err != nil {
		return nil, err
	}
	c, err := l.dial(client.Config{})
	if err != nil {
		return nil, err
	}
	data, err := c.Bundle(ctx, id)
	if err != nil {
		return nil, err
	}
	return a.judgePredecessor(id, l.Origin, data)
}

// readPredecessor reads it from a file. An entry by itself shows what was said,
// and not what became of it.
func (a *app) readPredecessor(id, file string) (*predecessor, error) {
	data, err := a.readFile(file, bundle.MaxSize)
	if err != nil {
		return nil, err
	}
	e, err := parseEntry(data)
	if err != nil {
		return a.judgePredecessor(id, file, data)
	}
	if e.Attestation == nil || id != "" && e.IDString() != id {
		return nil, usage("%s is not the attestation", file).hinted("name the file of an attestation")
	}
	return &predecessor{entry: e}, nil
}

// judgePredecessor verifies the bundle and picks the attestation with the id,
// or the only one.
func (a *app) judgePredecessor(id, source string, data []byte) (*predecessor, error) {
	policy, err := a.policy()
	if err != nil {
		return nil, err
	}
	r := verify.Bundle(data, verify.Options{Policy: policy, Now: a.now(), MaxAge: a.maxAge})
	if r.Err != nil {
		return nil, &failure{code: r.Verdict.ExitCode(), err: fmt.Errorf("%s: %s: %w", source, r.Verdict, r.Err), hint: verdictHint(r)}
	}
	var ids []string
	for _, result := range r.Results {
		if result.ID == id || id == "" && len(r.Results) == 1 {
			if result.Entry == nil || result.Entry.Attestation == nil || result.Record == nil {
				return nil, cannotTell("%s: %s: %s", source, result.ID, result.Verdict).hinted("get its bundle again: standing submit its entry")
			}
			return &predecessor{result.Entry, result.Verdict.String(), result.Record}, nil
		}
		ids = append(ids, result.ID)
	}
	return nil, usage("%s does not have exactly that attestation", source).hinted("standing renew ID FILE, with one of " + strings.Join(ids, ", "))
}

// components returns what it is about.
func (p *predecessor) components() (out []purl.Purl) {
	for _, s := range p.entry.Subjects {
		if c, err := purl.Parse(s.Name); err == nil { // package entry saw to it
			out = append(out, c)
		}
	}
	return out
}

// renewable refuses what no log lets be superseded.
func (p *predecessor) renewable() error {
	switch {
	case p.entry.Attestation.Claims == nil:
		return usage("%s is about a document, and has no answers to carry forward", p.entry.IDString()).
			hinted(`attest the new document: "standing submit FILE --purl PURL"`)
	case p.record == nil:
	case p.record.State == mapfn.StateRevoked:
		return &failure{code: exitNot, err: fmt.Errorf("%s was revoked, and nothing can supersede it", p.entry.IDString()),
			hint: `write a new one: "standing new"`}
	case p.record.Successor != nil:
		return &failure{code: exitNot, err: fmt.Errorf("%s was superseded already", p.entry.IDString()),
			hint: fmt.Sprintf(`renew its successor: "standing renew att:%x"`, *p.record.Successor)}
	}
	return nil
}

// sayCarried prints the differences, and what to look at.
func (a *app) sayCarried(c *carrier, file string) {
	for _, ch := range c.changes {
		line := fmt.Sprintf("  %-13s %s → %s", ch.Member, orNone(ch.From), ch.To)
		if ch.Why != "" {
			line += ": " + ch.Why
		}
		a.say("%s", line)
	}
	a.say("%d answers are carried forward as they were", c.carried)
	if len(c.look) > 0 {
		a.say("Look at these before you sign:")
	}
	for _, l := range c.look {
		a.say("  %-13s %s", l.Member, l.Why)
	}
	a.note("Then: standing issue %s --key FILE", file)
}
