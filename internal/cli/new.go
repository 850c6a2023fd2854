package cli

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/purl"
)

// newOptions are the flags of new.
type newOptions struct{ log, artifact, digest, file, repo string }

func (a *app) newCommand() *cobra.Command {
	var o newOptions
	cmd := command("new [PURL]", `
Writes attestation.yaml: a draft about the component, with the points of the
light template, explained by comments. Edit it, then run "standing issue".
A purl without version makes a draft about the package, or a range of versions.

In a repository that is the component's (by its manifest, or the address of
origin), the draft is filled in from what is there: COMPLIANCE.md,
security-insights.yml, SECURITY, CONTRIBUTING, CHANGELOG, LICENSE, lock files, git
tags. Each value says which file and line it is from. Nothing is run or fetched.
Without PURL, the manifest and the tag that is checked out say what it is about.

  --repo DIR        the repository, whatever it is called (default: this directory,
                    if it is the component's)
  --artifact FILE   the artifact of this version: its SHA-256 is filled in, or
  --digest D        its digest: sha256:<hex>, sha512:<hex> or gitCommit:<hex>
                    (default: the commit of its tag)
  --log ORIGIN|URL  the log it is meant for (default: the one you trust)
  --file FILE       write there instead`,
		cobra.MaximumNArgs(1), func(_ *cobra.Command, args []string) error {
			return a.newDraft(strings.Join(args, ""), o)
		})
	f := cmd.Flags()
	f.StringVar(&o.artifact, "artifact", "", "")
	f.StringVar(&o.digest, "digest", "", "")
	f.StringVar(&o.log, "log", "", "")
	f.StringVar(&o.file, "file", "attestation.yaml", "")
	f.StringVar(&o.repo, "repo", "", "")
	return cmd
}

func (a *app) newDraft(arg string, o newOptions) error {
	about, err := a.about(arg, o.repo)
	if err != nil {
		return err
	}
	origin, err := a.draftOrigin(o.log)
	if err != nil {
		return err
	}
	if o.artifact != "" {
		if o.digest, err = digestFile(o.artifact); err != nil {
			return err
		}
	}
	if o.digest != "" && !about.purl.HasVersion() {
		return usage("%s has no version, so no artifact", about.purl).hinted("write pkg:…@VERSION")
	}
	d, r := emptyDraft(origin, about.purl, o.digest, a.now()), &remarks{}
	filled := about.fill(d, r, a.now())
	text := d.text(r, a.now())
	// What cannot be read again is a mistake of ours, and is not left behind.
	if _, err := parseDraft(text); err != nil {
		return err
	}
	if err := keyfile.WriteNew(o.file, text, 0o644); err != nil {
		return err
	}
	a.say("wrote %s, about %s", o.file, about.purl)
	a.sayFilled(filled, o.file)
	a.result(map[string]any{"file": o.file, "purl": about.purl.String(), "log": origin, "filled": filled})
	return nil
}

// emptyDraft is a draft in which nothing is stated yet.
func emptyDraft(origin string, p purl.Purl, digest string, now time.Time) *draft {
	today := now.UTC().Truncate(24 * time.Hour)
	d := &draft{Logs: []string{origin}, Subjects: []draftSubject{{Purl: p.String(), Digest: digest}},
		Relation: "first-party", Polarity: "positive", LegalBasis: "none",
		ValidFrom: date(today.Unix()), ValidUntil: date(today.AddDate(1, 0, 0).Unix()),
		Claims: draftClaims{Catalogue: catalogue.LightName, Version: catalogue.LightVersion},
	}
	c, _ := catalogue.Lookup(catalogue.LightName, catalogue.LightVersion)
	for _, item := range c.Items {
		d.Claims.Items = append(d.Claims.Items, draftClaim{ID: item.ID, Answer: "not-stated"})
	}
	return d
}

// draftOrigin returns the origin of a log that need not be trusted yet.
func (a *app) draftOrigin(log string) (string, error) {
	p, err := a.policy()
	if log != "" && (err != nil || !strings.Contains(log, "://")) {
		return log, nil
	}
	if err != nil {
		f, _ := errors.AsType[*failure](err)
		return "", usage("%w", err).hinted("name the log with --log ORIGIN, or " + f.hint)
	}
	l, err := pickLog(p, log)
	return l.Origin, err
}

func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return fmt.Sprintf("sha256:%x", h.Sum(nil)), nil
}
