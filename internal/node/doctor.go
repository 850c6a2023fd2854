package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/trust"
)

// Level says how bad a finding is.
type Level string

// The levels. Only Bad fails the whole.
const (
	Good    Level = "ok"
	Doubt   Level = "warn"
	Bad     Level = "bad"
	Unknown Level = "unknown" // it could not be looked at
)

// Finding is one line of what Doctor has looked at.
type Finding struct {
	Name   string `json:"name"`
	Level  Level  `json:"level"`
	Detail string `json:"detail"`
	// Next is the one next step; empty if there is nothing to do.
	Next string `json:"next,omitempty"`
}

// doctor looks at one node. It writes nothing that a start would not.
type doctor struct {
	dir, url  string
	cfg       *Config
	log       *slog.Logger // nobody reads it
	policy    *trust.Policy
	signers   []note.Signer
	running   bool
	published *trust.Checkpoint // nil: none
	size      uint64            // the largest tree that is known to be signed
	found     []Finding
}

func (d *doctor) add(level Level, name, next, format string, args ...any) {
	d.found = append(d.found, Finding{name, level, strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " "), next})
}

// Doctor looks at the node in dir, whether it runs or not, and says what it
// finds. url is where a running one serves.
func Doctor(ctx context.Context, dir, url string) []Finding {
	d := &doctor{dir: dir, url: url, log: slog.New(slog.DiscardHandler)}
	d.version()
	if !d.configuration() {
		return d.found
	}
	d.disk()
	d.marks()
	d.open()
	if d.running {
		d.served(ctx)
	} else if d.cfg.Origin != "" {
		d.store(ctx)
	}
	if d.cfg.Origin != "" {
		d.age()
		d.exported()
		d.cosigners(ctx)
	}
	return d.found
}

func (d *doctor) version() {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version + ", " + info.GoVersion
	}
	d.add(Good, "version", "", "%s", version)
}

// configuration reads what is needed to look at anything else.
func (d *doctor) configuration() bool {
	cfg, err := ReadConfig(d.dir)
	if err != nil {
		d.add(Bad, "configuration", "correct it, or name the directory of a node", "%v", err)
		return false
	}
	d.cfg = cfg
	if cfg.Origin == "" {
		d.add(Good, "configuration", "", "no log here")
		return true
	}
	signers, vkeys, err := readSigners(d.dir)
	if err == nil {
		d.policy, _, err = fullPolicy(d.dir, cfg.Origin, vkeys)
	}
	if err == nil {
		err = checkSigners(signers, cfg.Origin, d.policy)
	}
	if err != nil {
		d.add(Bad, "keys", "put the right file back from where the keys are kept", "%v", err)
		return false
	}
	d.signers = signers
	d.add(Good, "configuration", "", "the log %s", cfg.Origin)
	d.add(Good, "keys", "", "they fit log.vkey, log-mldsa.vkey and trust.policy, and nobody else can read them")
	if _, err := os.Stat(filepath.Join(d.dir, rootFile)); err == nil {
		d.add(Doubt, "root key", "move "+rootFile+" offline, on two media", "the node does not need it, and whoever takes it ends the log")
	}
	return true
}

func (d *doctor) disk() {
	room := &disk{dir: d.dir, reserve: uint64(d.cfg.Disk.Reserve), log: d.log, statfs: statfs}
	if err := room.room(); err != nil {
		d.add(Bad, "disk", "make the file system larger, or free what is not the node's", "%v", err)
		return
	}
	free, _, err := statfs(d.dir)
	if err != nil {
		d.add(Unknown, "disk", "", "%v", err)
		return
	}
	d.add(Good, "disk", "", "%d MiB are free", free>>20)
}

// marks looks at what others have left in the directory.
func (d *doctor) marks() {
	if err := checkDamaged(d.dir); err != nil {
		d.add(Bad, "damage", "keep a copy, then run `standing fsck "+d.dir+"`", "%v", err)
	}
	evidence, _ := filepath.Glob(filepath.Join(d.dir, "evidence", "*"))
	if len(evidence) > 0 {
		d.add(Doubt, "evidence", "read it, run `standing verify` on it, and publish what is confirmed", "%s", strings.Join(evidence, ", "))
	}
	left, _ := filepath.Glob(filepath.Join(d.dir, storeDir+".*"))
	for _, name := range left {
		if base := filepath.Base(name); base != damagedFile {
			d.add(Doubt, "left over", "finish what was begun, or delete it once nobody needs it", "%s", name)
		}
	}
}

// open finds out whether the node runs: its witness or its auditor has a lock.
func (d *doctor) open() {
	for _, name := range []string{witnessDir, auditorDir} {
		path := filepath.Join(d.dir, name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		s, err := witness.OpenDir(path)
		if err != nil {
			d.running = true
			return
		}
		_ = s.Close()
	}
	d.add(Doubt, "running", "standingd serve --dir "+d.dir, "no process serves this node")
}

// served asks the running node.
func (d *doctor) served(ctx context.Context) {
	if err := health(ctx, d.url); err != nil {
		d.add(Bad, "running", "see WriterHalted and NoQuorum in the manual; if it serves elsewhere, give the address with --url", "%v", err)
	} else {
		d.add(Good, "running", "", "%s says ok", d.url)
	}
	c, err := client.New(d.url, client.Config{Attempts: 1, Timeout: doctorTimeout})
	if err != nil || d.policy == nil {
		return
	}
	if n, err := c.Checkpoint(ctx); err == nil {
		d.checkpoint(n)
	}
}

const doctorTimeout = 10 * time.Second

// health asks a node how it is.
func health(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	return fmt.Errorf("%s says %.1000q", url, strings.TrimSpace(string(text)))
}

// checkpoint takes what is published.
func (d *doctor) checkpoint(n []byte) {
	cp, err := d.policy.OpenLogSigned(n)
	if err != nil || cp.Origin != d.cfg.Origin {
		d.add(Bad, "published", "see who serves this address", "what is published is not of this log: %v", err)
		return
	}
	d.published, d.size = cp, max(d.size, cp.Size)
}

// store opens the store of a node that does not run, as a start would.
func (d *doctor) store(ctx context.Context) {
	if err := checkStore(d.dir); err != nil {
		d.add(Bad, "store", "standingd recover --dir "+d.dir+" --from MIRROR", "%v", err)
		return
	}
	store, err := embedded.Open(ctx, embedded.Options{Dir: filepath.Join(d.dir, storeDir)})
	if err != nil {
		d.add(Bad, "store", "keep a copy, then `standing fsck "+d.dir+"`", "%v", err)
		return
	}
	defer func() { _ = store.Close() }()
	root, err := sequencer.Check(ctx, sequencer.Config{
		Origin: d.cfg.Origin, Backend: store, Signers: d.signers, Policy: d.policy, Log: d.log,
	})
	if err != nil {
		d.add(Bad, "store", "keep a copy, then `standing fsck "+d.dir+"`", "%v", err)
		return
	}
	d.size = root.Size
	d.add(Good, "store", "", "%d leaves, which extend what was signed", root.Size)
	if n, err := sequencer.Published(store); err == nil && n != nil {
		d.checkpoint(n)
	}
}

// age judges how old what readers get is.
func (d *doctor) age() {
	if d.published == nil {
		d.add(Doubt, "published", "see the cosigners below", "nothing is published yet, or it cannot be read")
		return
	}
	t, err := d.policy.QuorumTime(d.published.Cosignatures, time.Now())
	if err != nil {
		d.add(Bad, "published", "serve, and see the cosigners below", "size %d: %v", d.published.Size, err)
		return
	}
	age := time.Since(t).Round(time.Second)
	level, next := Good, ""
	if refresh := max(d.cfg.Cosign.Refresh, 10*time.Minute); age > 3*refresh {
		level, next = Doubt, "see the cosigners below; readers say STALE after a day"
	}
	d.add(level, "published", next, "size %d, cosigned by a quorum %v ago", d.published.Size, age)
}

// exported looks at the last export: what there is of other copies of the node's
// directory, nothing here knows.
func (d *doctor) exported() {
	const next = "run `standingd export` from a timer, to another disk, or know who else holds every leaf"
	where, err := os.ReadFile(filepath.Join(d.dir, exportedFile))
	if errors.Is(err, fs.ErrNotExist) {
		d.add(Unknown, "export", next, "none was made; of other backups nothing is known here")
		return
	}
	file := filepath.Join(strings.TrimSpace(string(where)), "checkpoint")
	var note []byte
	var info fs.FileInfo
	if err == nil {
		info, err = os.Stat(file)
	}
	if err == nil {
		note, err = os.ReadFile(file)
	}
	var cp *trust.Checkpoint
	if err == nil {
		cp, err = d.policy.OpenLogSigned(note)
	}
	if err != nil {
		d.add(Doubt, "export", next, "the last one cannot be read: %v", err)
		return
	}
	age := time.Since(info.ModTime()).Round(time.Second)
	level, advice := Good, ""
	if age > exportAge && cp.Size < d.size {
		level, advice = Doubt, next
	}
	d.add(level, "export", advice, "%s has %d of %d leaves, since %v", filepath.Dir(file), cp.Size, max(cp.Size, d.size), age)
}

// exportAge is how old an export may be that lacks leaves.
const exportAge = 24 * time.Hour
