package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/standing-log/standing/internal/auditor"
	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/trust"
)

// AuditedLog is a log that the auditor of this node holds and cosigns.
type AuditedLog struct {
	// URL is the address under which the log serves its tiles.
	URL string `yaml:"url"`
	// Trust is a trust file that lists the log and the quorum of what it
	// publishes, relative to the node's directory. Pins beside it are read, too.
	Trust string `yaml:"trust,omitempty"`
	// Vkeys are the log's verifier keys, in place of a trust file: then whatever
	// it has signed and shows counts as published.
	Vkeys []string `yaml:"vkeys,omitempty"`
}

// policy returns the log's origin and what its checkpoints need.
func (l AuditedLog) policy(dir string) (string, *trust.Policy, error) {
	if (l.Trust == "") == (len(l.Vkeys) == 0) {
		return "", nil, errors.New("give either trust or vkeys")
	}
	p, err := l.read(dir)
	if err != nil {
		return "", nil, err
	}
	for _, known := range p.Logs() {
		if len(p.Logs()) == 1 || strings.TrimSuffix(known.URL(), "/") == strings.TrimSuffix(l.URL, "/") {
			return known.Origin, p, nil
		}
	}
	return "", nil, errors.New("several logs are listed, and none of them has this URL")
}

func (l AuditedLog) read(dir string) (*trust.Policy, error) {
	if l.Trust == "" {
		return trust.Parse([]byte("log " + strings.Join(l.Vkeys, "\nlog ") + "\nquorum none\n"))
	}
	if filepath.IsAbs(l.Trust) {
		return pinnedPolicy(l.Trust)
	}
	return pinnedPolicy(filepath.Join(dir, l.Trust))
}

// openAuditor opens the auditor, if this node has the key of one.
func (n *Node) openAuditor(ctx context.Context, dir string, set *metric.Set) error {
	skey, err := readSecret(dir, auditorFile)
	if errors.Is(err, fs.ErrNotExist) && len(n.cfg.Audit.Logs) == 0 {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: an auditor has a key of its own: make it with `standingd init --auditor NAME`", err)
	}
	if err != nil {
		return &SetupError{err}
	}
	signer, err := witness.NewSigner(skey)
	if err != nil {
		return &SetupError{fmt.Errorf("%s: %w", auditorFile, err)}
	}
	cfg := auditor.Config{
		Dir: dir, Signers: []witness.Signer{signer}, Oracle: n.cfg.Audit.Oracle, Logger: n.log, FS: n.fs, Now: n.now,
		Metrics: auditor.NewMetrics(set), Deadline: n.cfg.Audit.Deadline,
	}
	for i, l := range n.cfg.Audit.Logs {
		audited, err := l.open(dir)
		if err != nil {
			return &SetupError{fmt.Errorf("%s: audit.logs[%d]: %w", configFile, i, err)}
		}
		cfg.Logs = append(cfg.Logs, audited)
	}
	if n.audited, err = witness.OpenDir(filepath.Join(dir, auditorDir)); err != nil {
		return err
	}
	cfg.Store = n.audited
	n.auditor, err = auditor.Open(ctx, cfg)
	return err
}

func (l AuditedLog) open(dir string) (auditor.Log, error) {
	origin, policy, err := l.policy(dir)
	if err != nil {
		return auditor.Log{}, err
	}
	// To compress what follows so closely costs the log more than to send it.
	plain := http.DefaultTransport.(*http.Transport).Clone()
	plain.DisableCompression = true
	// A mirror makes as many requests at once; connections cost more than those.
	plain.MaxIdleConnsPerHost = 16
	// A tile that does not come is asked for again by the log's next request.
	c, err := client.New(l.URL, client.Config{HTTP: &http.Client{Transport: plain}, Attempts: 2})
	return auditor.Log{Origin: origin, Policy: policy, Source: c, Submit: func(ctx context.Context, envelope []byte) error {
		_, err := c.Submit(ctx, envelope, false)
		return err
	}}, err
}
