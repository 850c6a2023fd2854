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
	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/purl"
)

// newOptions are the flags of new.
type newOptions struct{ log, artifact, digest, file string }

func (a *app) newCommand() *cobra.Command {
	var o newOptions
	cmd := command("new PURL", `
Writes attestation.yaml: a draft about the component, with the points of the
light template, explained by comments. Edit it, then run "standing issue".
A purl without version makes a draft about the package, or a range of versions.

  --artifact FILE   the artifact of this version: its SHA-256 is filled in, or
  --digest D        its digest: sha256:<hex>, sha512:<hex> or gitCommit:<hex>
  --log ORIGIN|URL  the log it is meant for (default: the one you trust)
  --file FILE       write there instead`,
		cobra.ExactArgs(1), func(_ *cobra.Command, args []string) error { return a.newDraft(args[0], o) })
	f := cmd.Flags()
	f.StringVar(&o.artifact, "artifact", "", "")
	f.StringVar(&o.digest, "digest", "", "")
	f.StringVar(&o.log, "log", "", "")
	f.StringVar(&o.file, "file", "attestation.yaml", "")
	return cmd
}

func (a *app) newDraft(arg string, o newOptions) error {
	name, err := lint.CanonicalPurl(arg)
	if err != nil {
		return err
	}
	if name != arg {
		a.note("written as %s, by the rules of its type", name)
	}
	p, err := purl.Parse(name)
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
	if o.digest != "" && !p.HasVersion() {
		return usage("%s has no version, so no artifact", name).hinted("write pkg:…@VERSION")
	}
	if err := keyfile.WriteNew(o.file, draftText(origin, p, o.digest, a.now().UTC()), 0o644); err != nil {
		return err
	}
	a.say("wrote %s", o.file)
	a.result(map[string]string{"file": o.file, "purl": name, "log": origin})
	return nil
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

// draftText writes the draft. Purls, origins and digests need no quoting beyond
// what is here: their grammars have no quotes and no line breaks.
func draftText(origin string, p purl.Purl, digest string, now time.Time) []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# A security attestation, not yet signed. All of it becomes public and stays")
	line("# public: no names of persons, no personal mail addresses. Reasons and stories")
	line("# belong behind a link.")
	line("logs: [%q]", origin)
	line("subjects:")
	line("  - purl: %q", p.String())
	if p.HasVersion() {
		line("    digest: %q # of the artifact: sha256:<hex>, sha512:<hex> or gitCommit:<hex>", digest)
	} else {
		line("    # vers: \"vers:semver/>=1.0.0|<2.0.0\" # versions covered; without it: all")
		line("    # from: %s # releases of this period; without it: of any", now.Format(time.DateOnly))
		line("    # to: %s", now.AddDate(1, 0, 0).Format(time.DateOnly))
	}
	line("")
	line("# What you are to it: first-party (it is yours), steward, second-party (you")
	line("# depend on it and its maintainers cooperate), third-party, public-body.")
	line("relation: first-party")
	line("polarity: positive # negative: it says what is missing")
	line("legalBasis: none # no programme under Article 25 exists in law yet")
	line("validFrom: %s", now.Format(time.DateOnly))
	line("validUntil: %s # at most %d years; say it again before it ends", now.AddDate(1, 0, 0).Format(time.DateOnly), lint.MaxValidityYears)
	line("# supportUntil: %s", now.AddDate(2, 0, 0).Format(time.DateOnly))
	line("# initiator: maintainer # who asked for it: steward, maintainer, manufacturer, user,")
	line("# financer: fiscal-host # who paid: assessor, public-body, fiscal-host, authority")
	line("# supersedes: att:<hex> # an earlier attestation of yours that this one replaces")
	line("# programme: prog:<hex> # the programme whose rules it is issued under")
	line("# support: {asks: funding, url: \"https://…\"}")
	line("")
	line("# Answers: yes, no, not-applicable, not-stated. A point may have a link, the")
	line("# SHA-256 of evidence (evidence: <hex>), and a date (checkedAt: %s).", now.Format(time.DateOnly))
	line("claims:")
	line("  catalogue: %s", catalogue.LightName)
	line("  version: %q", catalogue.LightVersion)
	line("  items:")
	c, _ := catalogue.Lookup(catalogue.LightName, catalogue.LightVersion)
	group := ""
	for _, item := range c.Items {
		if item.Group != group {
			group = item.Group
			line("    # %s", group)
		}
		line("    - id: %s # %s: %s", item.ID, item.Strength, item.Title)
		line("      answer: not-stated")
		line("      # link: \"https://…\"")
	}
	return []byte(b.String())
}
