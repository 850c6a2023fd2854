package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

// saveBundle fetches a bundle about what was asked and writes it to a file.
func (a *app) saveBundle(ctx context.Context, l target, file string, policy *trust.Policy, found []client.SubjectStatus) error {
	c, err := l.dial(client.Config{})
	if err != nil {
		return err
	}
	b, err := a.bundleAbout(ctx, c, found)
	if err != nil {
		return err
	}
	if err := keyfile.WriteFile(file, b, 0o644); err != nil {
		return err
	}
	a.say("wrote %s", file)
	r := verify.Bundle(b, verify.Options{Policy: policy, Now: a.now(), MaxAge: a.maxAge})
	if r.Err != nil {
		return cannotTell("%s proves nothing: %w", file, r.Err).hinted(verdictHint(r))
	}
	for i := range r.Subjects {
		a.say("  %s", subjectLine(r, &r.Subjects[i]))
	}
	return nil
}

// bundleAbout fetches the bundle of all that the log holds about purls and
// digests; where it was asked about ids, of the attestations found.
func (a *app) bundleAbout(ctx context.Context, c *client.Client, found []client.SubjectStatus) ([]byte, error) {
	var subjects, ids []string
	for _, r := range found {
		if !strings.HasPrefix(r.Subject, "att:") && !strings.HasPrefix(r.Subject, "prog:") {
			subjects = append(subjects, r.Subject)
		}
		for _, att := range r.Attestations {
			if !slices.Contains(ids, att.ID) {
				ids = append(ids, att.ID)
			}
		}
	}
	if len(subjects) < len(found) {
		if len(ids) == 0 {
			return nil, cannotTell("there is no attestation to save").hinted("ask about another subject")
		}
		return c.Bundle(ctx, ids...)
	}
	bundles, err := c.Prove(ctx, subjects...)
	if err == nil && len(bundles) > 1 {
		err = usage("the answer takes %d bundles", len(bundles)).hinted("ask about fewer subjects at once")
	}
	if err != nil {
		return nil, err
	}
	return bundles[0], nil
}
