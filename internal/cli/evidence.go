package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/standing-log/standing/internal/altreader"
	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/trust"
)

// keepEvidence writes the file that proves to others what a log did, if err has
// one, into the directory in which the command runs. There is one for each thing
// that a log did: the first that was made stays.
func (a *app) keepEvidence(err error) {
	e, ok := errors.AsType[*mirror.EvidenceError](err)
	if !ok || len(e.File) == 0 {
		return
	}
	path := e.Finding.FileName()
	if err := keyfile.WriteNew(path, e.File, 0o644); err != nil && !errors.Is(err, fs.ErrExist) {
		a.tell("standing: the evidence against %s could not be written: %v", e.Finding.Origin, err)
		return
	}
	a.tell("standing: %s proves it to others: give it to them with the advice to run \"standing verify %s\"", path, path)
}

// isLie reports whether err says, of either implementation, that a seal is false.
func isLie(err error) bool {
	_, first := errors.AsType[*replay.FalseSealError](err)
	_, second := errors.AsType[*altreader.SealError](err)
	return first || second
}

// proveLie reads a log in which a seal is false once more, into a copy that is
// thrown away: what proves the lie is the state before it.
func (a *app) proveLie(ctx context.Context, src mirror.Source, cfg mirror.Config) {
	var err error
	if cfg.Dir, err = os.MkdirTemp("", "standing-"); err != nil {
		a.note("standing: the evidence could not be made: %v", err)
		return
	}
	defer func() { _ = os.RemoveAll(cfg.Dir) }()
	m, err := mirror.Open(ctx, cfg)
	if err == nil {
		err = m.Sync(ctx, src, func(done, size uint64) { a.progress("%s: %d of %d leaves", cfg.Origin, done, size) })
		a.progress("")
		a.keepEvidence(err)
		_ = m.Close() // it is deleted
	}
	if err == nil {
		// Either the two implementations disagree, or the lie is in no tree that
		// was published, and nobody was told it.
		err = errors.New("nothing under the published checkpoint is wrong by the first implementation")
	}
	if e, ok := errors.AsType[*mirror.EvidenceError](err); !ok || len(e.File) == 0 {
		a.note("standing: the evidence could not be made: %v", err)
	}
}

// openCopy opens the copy of a log on this machine, if there is one.
func (a *app) openCopy(ctx context.Context, origin string, policy *trust.Policy) (*mirror.Mirror, error) {
	dir, err := mirror.DefaultDir(origin)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	return mirror.Open(ctx, mirror.Config{Dir: dir, Origin: origin, Policy: policy, Now: a.now})
}

// compareCopy fails if a checkpoint and the copy of the log on this machine show
// two trees. Without a copy there is nothing to compare.
func (a *app) compareCopy(ctx context.Context, src mirror.Source, origin string, note []byte, policy *trust.Policy) error {
	m, err := a.openCopy(ctx, origin, policy)
	if err == nil {
		defer m.Close()
		err = m.Compare(ctx, src, note)
	}
	if contradicts(err) {
		a.keepEvidence(err)
		return err
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.note("standing: it was not compared with the copy of the log on this machine: %v", err)
	}
	return nil
}

// verifyEvidence says what a log did, if a file proves that it did.
func (a *app) verifyEvidence(file string, data []byte, policy *trust.Policy) error {
	e, err := evidence.Parse(data)
	var found *evidence.Finding
	if err == nil {
		found, err = e.Verify(policy, a.now())
	}
	if err != nil {
		return cannotTell("%s proves nothing: %w", file, err).
			hinted("that says neither that the log keeps the rules nor that it does not; ask where the file came from, and do not pass it on as evidence")
	}
	a.say("EVIDENCE: %s", found.Text)
	a.say("  %s proves it by itself, under the keys of the log in your trust file", file)
	a.result(map[string]any{"evidence": found.Kind, "log": found.Origin, "index": found.Index, "line": found.Line,
		"text": found.Text, "signed": found.Signed, "exit": exitEvidence})
	a.note("hint: %s", evidenceHint(found.Origin, policy))
	return quiet(exitEvidence)
}

// evidenceHint says who is to be told.
func evidenceHint(origin string, policy *trust.Policy) string {
	tell := "the operators of its witnesses and auditors"
	var names []string
	for _, c := range policy.Cosigners() {
		names = append(names, c.Name)
	}
	if len(names) > 0 {
		tell += " (" + strings.Join(names, ", ") + ")"
	}
	return "do not rely on what " + origin + " says; keep the file, and send it to " + tell +
		" and to those who rely on the log; a close pin keeps what was good (standing trust --help)"
}

// verifyPromise compares a log's promise with the copy of the log, if there is one.
func (a *app) verifyPromise(ctx context.Context, file string, note []byte, policy *trust.Policy) error {
	p, err := promise.Open(policy, note)
	if err != nil {
		return &failure{code: exitEvidence, err: err, hint: "ask whoever has given it to you for one that the log has signed"}
	}
	out := map[string]any{"log": p.Origin, "id": p.ID, "index": p.Index, "size": p.Size}
	a.say("%s promised that %s stands at index %d", p.Origin, p.ID, p.Index)
	err = a.comparePromise(ctx, p, note, policy)
	switch {
	case err == nil:
		a.say("  and it does, in the copy of the log on this machine")
		out["exit"] = exitStands
		a.result(out)
		return nil
	case contradicts(err):
		a.keepEvidence(err)
		return &failure{code: exitEvidence, err: err, hint: evidenceHint(p.Origin, policy)}
	}
	return cannotTell("whether it was kept is not known: %w", err).
		hinted("bring the copy of the log up to date, with standing watch or standing check; then verify it again")
}

func (a *app) comparePromise(ctx context.Context, p *promise.Promise, note []byte, policy *trust.Policy) error {
	m, err := a.openCopy(ctx, p.Origin, policy)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.CheckPromise(ctx, note)
}
