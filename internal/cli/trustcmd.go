package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/trust"
)

func (a *app) trustCommand() *cobra.Command {
	cmd := command("trust add|show", `
  add URL|FILE   show the logs, cosigners and fingerprints of a trust file, ask,
                 and store it as what you trust. Compare the fingerprints with
                 another source. URL is that of a trust file, or of a log that
                 offers one as trust.policy.
    --yes          do not ask
    --replace      replace the trust file stored before
  show           show what is stored

Beside the trust file, FILE.pins may say what is yours alone to know, a line each:
  operator NAME ORIGIN|WITNESS…     they are in one hand, and count once
  close ORIGIN SIZE ROOT            the log is good up to there
  min-mapfn N                       older map functions are no evidence
  past ORIGIN|WITNESS VKEY TIME     a key no longer used, and its last Unix time`,
		cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
			return usage("%s: add or show?", cmd.CommandPath()).hinted("standing trust --help")
		})
	var yes, replace bool
	add := command("add URL|FILE", cmd.Long, cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
		return a.trustAdd(cmd.Context(), args[0], yes, replace)
	})
	add.Flags().BoolVarP(&yes, "yes", "y", false, "")
	add.Flags().BoolVar(&replace, "replace", false, "")
	show := command("show", cmd.Long, cobra.NoArgs, func(*cobra.Command, []string) error {
		p, err := a.policy()
		if err != nil {
			return err
		}
		path, _ := a.trustPath()
		a.say("%s", path)
		for _, line := range describePolicy(p) {
			a.say("%s", line)
		}
		a.result(policyOutput(path, p))
		return nil
	})
	cmd.AddCommand(add, show)
	return cmd
}

func (a *app) trustAdd(ctx context.Context, source string, yes, replace bool) error {
	path, err := a.trustPath()
	if err != nil {
		return err
	}
	data, err := a.fetchPolicy(ctx, source)
	if err != nil {
		return err
	}
	p, err := trust.Parse(data)
	if err != nil {
		return usage("%s: %w", source, err).hinted("ask whoever publishes it for a C2SP tlog-policy file")
	}
	// Pins of an earlier trust file would be those of this one.
	if p, err = a.pin(p, path); err != nil {
		return err
	}
	old, err := a.readFile(path, maxTrust)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && bytes.Equal(old, data):
		a.say("%s says so already", path)
		a.result(policyOutput(path, p))
		return nil
	case err == nil && !replace:
		return usage("another trust file is stored at %s", path).hinted(`look at it with "standing trust show", then add --replace, or keep both and name one with --trust`)
	}
	for _, line := range describePolicy(p) {
		a.tell("%s", line)
	}
	a.tell("Compare the fingerprints with another source before you go on.")
	if err := a.confirm("Trust this?", yes); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := keyfile.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	a.say("stored as %s", path)
	a.result(policyOutput(path, p))
	return nil
}

// fetchPolicy reads a trust file from a file or a URL.
func (a *app) fetchPolicy(ctx context.Context, source string) ([]byte, error) {
	if !strings.HasPrefix(source, "https://") && !strings.HasPrefix(source, "http://") {
		return a.readFile(source, maxTrust)
	}
	data, err := get(ctx, source)
	if err == nil {
		if _, parseErr := trust.Parse(data); parseErr == nil {
			return data, nil
		}
	}
	if strings.HasSuffix(source, "/trust.policy") {
		return data, err
	}
	below, belowErr := get(ctx, strings.TrimSuffix(source, "/")+"/trust.policy")
	if belowErr != nil {
		if err != nil {
			return nil, err
		}
		return nil, usage("%s is no trust file, and there is none below it", source).hinted("ask the log's operator for its trust file")
	}
	return below, nil
}

// get fetches a small file.
func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, usage("%v", err)
	}
	c := &http.Client{Timeout: 30 * time.Second}
	resp, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", client.ErrUnreachable, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, usage("%s answered HTTP %d", url, resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxTrust+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", client.ErrUnreachable, err)
	}
	if len(data) > maxTrust {
		return nil, usage("%s exceeds %d bytes", url, maxTrust)
	}
	return data, nil
}

// fingerprint is what people compare: SHA-256 of the verifier key's text.
func fingerprint(vkey string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(vkey)))
}

func describePolicy(p *trust.Policy) []string {
	var out []string
	for _, l := range p.Logs() {
		out = append(out, "log "+l.Origin)
		for _, k := range l.Keys {
			out = append(out, "  fingerprint "+fingerprint(k.Vkey))
			if k.URL != "" {
				out = append(out, "  address     "+k.URL)
			}
		}
	}
	for _, c := range p.Cosigners() {
		role := "cosigner, in the quorum"
		if !c.InQuorum {
			role = "cosigner, not in the quorum"
		}
		out = append(out, fmt.Sprintf("%s %q, key name %q", role, c.Name, c.Key.Name), "  fingerprint "+fingerprint(c.Key.Vkey))
	}
	for line := range strings.Lines(p.String()) {
		if strings.HasPrefix(line, "group ") || strings.HasPrefix(line, "quorum ") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	for line := range strings.Lines(p.Pins()) {
		out = append(out, "pinned: "+strings.TrimSpace(line))
	}
	if p.QuorumNone() {
		out = append(out, "No cosigner is asked for: the log alone could show different people different trees.")
	}
	return out
}

// policyJSON is a trust file in JSON output.
type policyJSON struct {
	File      string      `json:"file"`
	Logs      []policyKey `json:"logs"`
	Cosigners []policyKey `json:"cosigners"`
	Quorum    bool        `json:"quorum"` // false: quorum none
	Pins      []string    `json:"pins,omitempty"`
}

type policyKey struct {
	Name        string `json:"name"`
	Vkey        string `json:"vkey"`
	Fingerprint string `json:"fingerprint"`
	URL         string `json:"url,omitempty"`
	InQuorum    bool   `json:"inQuorum,omitempty"`
}

func policyOutput(path string, p *trust.Policy) policyJSON {
	out := policyJSON{File: path, Logs: []policyKey{}, Cosigners: []policyKey{}, Quorum: !p.QuorumNone()}
	for _, l := range p.Logs() {
		for _, k := range l.Keys {
			out.Logs = append(out.Logs, policyKey{l.Origin, k.Vkey, fingerprint(k.Vkey), k.URL, false})
		}
	}
	for _, c := range p.Cosigners() {
		out.Cosigners = append(out.Cosigners, policyKey{c.Name, c.Key.Vkey, fingerprint(c.Key.Vkey), c.URL, c.InQuorum})
	}
	for line := range strings.Lines(p.Pins()) {
		out.Pins = append(out.Pins, strings.TrimSpace(line))
	}
	return out
}
