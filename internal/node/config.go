// Package node puts a Standing node together: the store, the log, its witness,
// and one HTTP address for tiles, REST, gRPC, the witness, metrics and health.
//
// A node is a directory:
//
//	standingd.yaml       Config
//	log.key              secret: signs checkpoints (Ed25519)
//	log-mldsa.key        secret: signs checkpoints (ML-DSA-44)
//	log.vkey             what readers need to verify the first
//	log-mldsa.vkey       what readers need to verify the second
//	trust.policy         C2SP tlog-policy: the log, its witness, the quorum
//	registrar.key        secret: enrols parties; for the registrar's desk
//	root.key             secret: amends the charter; keep it offline
//	witness.key          secret: the local witness
//	witness.vkey         what trust files need to name it
//	auditor.key          secret: the auditor
//	auditor.vkey         what trust files need to name it
//	store/               the tree and the state
//	witness/             what the local witness has cosigned
//	auditor/             what the auditor has cosigned
//	mirror/, evidence/   what it holds, and has found (package auditor)
//	monitor/             what it has read, told and found (package monitor)
//	store.damaged        why the log has stopped, until `standing fsck` finds nothing
//
// A node without an origin in its configuration is a witness, an auditor, a
// monitor, or several of them, and nothing else: it has standingd.yaml and what
// names these.
//
// Invariants:
//
//   - Init writes a whole node or fails before the store says that it is one;
//     it never overwrites a key.
//   - Serve starts the witness before the log.
//   - Once somebody has found the store damaged nothing is signed, in this
//     process or a later one, until Fsck has read all of it and found nothing.
package node

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/personality/trust"
)

// Config is standingd.yaml. Unknown members are an error. Durations are
// written like 100ms, 1s, 10m; what is left out has the default.
type Config struct {
	// Origin of the log: the first line of its checkpoints, and the name of
	// its keys. It never changes. Empty: no log here, only a witness.
	Origin string `yaml:"origin,omitempty"`

	// Batch says when a turn begins.
	Batch struct {
		// Interval from a batch's first entry to its turn, if a quarter of Max does not
		// wait before. Default 1s.
		Interval time.Duration `yaml:"interval,omitempty"`
		// First replaces it for the first entry after idleness. Default 100ms.
		First time.Duration `yaml:"first,omitempty"`
		// Max is the greatest number of entries of a turn. Default 2048.
		Max int `yaml:"max,omitempty"`
	} `yaml:"batch,omitempty"`

	// Cosign says how cosignatures are gathered from the cosigners of
	// trust.policy that have a URL, and from the local witness.
	Cosign struct {
		// Auditors are the names in trust.policy of the cosigners that hold the
		// leaves. Witnesses are asked once those auditors have cosigned that the
		// quorum needs.
		Auditors []string `yaml:"auditors,omitempty"`
		// Timeout of one cosigner. Default 10s.
		Timeout time.Duration `yaml:"timeout,omitempty"`
		// Grace is how long to wait for the others once the quorum is there, if
		// they usually answer within it; what comes later is added to what is
		// published. Default 100ms.
		Grace time.Duration `yaml:"grace,omitempty"`
		// Refresh is how often an idle log is cosigned anew. Default 10m.
		Refresh time.Duration `yaml:"refresh,omitempty"`
		// Backlog is the number of leaves that may wait for a quorum before
		// only withdrawals are taken. Default 10000.
		Backlog uint64 `yaml:"backlog,omitempty"`
	} `yaml:"cosign,omitempty"`

	// Disk says what is kept free.
	Disk struct {
		// Reserve, like 512MiB: with less free in the store's file system, only
		// withdrawals are taken. Default 1GiB, or 5 % of it if that is less.
		Reserve Bytes `yaml:"reserve,omitempty"`
	} `yaml:"disk,omitempty"`

	// Witness says which logs the local witness cosigns besides the one here.
	Witness struct {
		// Logs are verifier keys of their checkpoints; the name of a key is the
		// log's origin.
		Logs []string `yaml:"logs,omitempty"`
	} `yaml:"witness,omitempty"`

	// Audit says which logs the auditor of this node holds, recomputes and
	// cosigns. It needs auditor.key.
	Audit struct {
		Logs []AuditedLog `yaml:"logs,omitempty"`
		// Oracle has the second implementation recompute each log, too; both
		// must agree.
		Oracle bool `yaml:"oracle,omitempty"`
		// Deadline is how many leaves a log may add before a withdrawal that it
		// refused or left out and somebody has brought here. Default 20000.
		Deadline uint64 `yaml:"deadline,omitempty"`
	} `yaml:"audit,omitempty"`

	// Monitor, unless it is absent, makes this node a monitor, too.
	Monitor *Monitor `yaml:"monitor,omitempty"`
}

// The files of a node.
const (
	configFile    = "standingd.yaml"
	logKeyFile    = "log.key"
	mldsaKeyFile  = "log-mldsa.key"
	logVkeyFile   = "log.vkey"
	mldsaVkeyFile = "log-mldsa.vkey"
	policyFile    = "trust.policy"
	registrarFile = "registrar.key"
	rootFile      = "root.key"
	witnessFile   = "witness.key"
	witnessVkey   = "witness.vkey"
	auditorFile   = "auditor.key"
	auditorVkey   = "auditor.vkey"
	storeDir      = "store"
	witnessDir    = "witness"
	auditorDir    = "auditor"
)

// LocalWitness is the name of the node's own witness in its trust.policy.
const LocalWitness = "local"

// ReadConfig reads standingd.yaml in dir.
func ReadConfig(dir string) (*Config, error) {
	b, err := os.ReadFile(filepath.Join(dir, configFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no node: run `standingd init --dir %s --origin ORIGIN` first", dir, dir)
	}
	if err != nil {
		return nil, err
	}
	var c Config
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		// The library puts each problem on a line of its own.
		return nil, fmt.Errorf("%s: %s", configFile, strings.Join(strings.Fields(err.Error()), " "))
	}
	if c.Origin != "" && !trust.ValidOrigin(c.Origin) {
		return nil, fmt.Errorf("%s: origin %.80q is not [a-z0-9./-]{1,255}", configFile, c.Origin)
	}
	if _, err := os.Stat(filepath.Join(dir, storeDir)); err == nil && c.Origin == "" {
		return nil, fmt.Errorf("%s: origin is missing, and there is a log in %s", configFile, storeDir)
	}
	return &c, c.check()
}

// maxBatch keeps a turn far below what the store takes in one write.
const maxBatch = 8192

// check refuses numbers that mean nothing.
func (c *Config) check() error {
	if c.Batch.Max < 0 || c.Batch.Max > maxBatch {
		return fmt.Errorf("%s: batch.max is %d, not 1 to %d", configFile, c.Batch.Max, maxBatch)
	}
	for name, d := range map[string]time.Duration{
		"batch.interval": c.Batch.Interval, "batch.first": c.Batch.First,
		"cosign.timeout": c.Cosign.Timeout, "cosign.grace": c.Cosign.Grace, "cosign.refresh": c.Cosign.Refresh,
	} {
		if d < 0 {
			return fmt.Errorf("%s: %s is negative", configFile, name)
		}
	}
	return nil
}

func writeConfig(dir string, c *Config) error {
	b, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	return keyfile.WriteNew(filepath.Join(dir, configFile), b, 0o644)
}

// readSecret reads a one-line secret key file.
func readSecret(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s can be read by others: chmod 600 it, and think about who has read it", path)
	}
	b, err := os.ReadFile(path)
	return string(bytes.TrimSpace(b)), err
}

// ReadPolicy reads trust.policy in dir.
func ReadPolicy(dir string) (*trust.Policy, error) {
	b, err := os.ReadFile(filepath.Join(dir, policyFile))
	if err != nil {
		return nil, err
	}
	p, err := trust.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", policyFile, err)
	}
	return p, nil
}
