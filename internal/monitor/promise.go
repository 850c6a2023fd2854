package monitor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/trust"
)

// promises holds a log to the promises of it in the directory: *.promise. Those
// of other logs are theirs. A file that cannot be read is an error: whoever put it
// there relies on it.
func (m *Monitor) promises(ctx context.Context, c *mirror.Mirror, origin string) (out []watch.Condition, _ error) {
	if m.cfg.Promises == "" {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(m.cfg.Promises, "*.promise"))
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, file := range files {
		found, err := m.promise(ctx, c, origin, file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // taken away meanwhile
			failed = append(failed, fmt.Errorf("promise %s: %w", file, err))
		}
		out = append(out, found...)
	}
	return out, errors.Join(failed...)
}

// promise returns what is the matter with a promise of the log.
func (m *Monitor) promise(ctx context.Context, c *mirror.Mirror, origin, file string) ([]watch.Condition, error) {
	note, err := read(file, promise.MaxSize)
	if err != nil {
		return nil, err
	}
	p, err := promise.Open(m.cfg.Policy, note)
	if errors.Is(err, trust.ErrUnknownLog) || err == nil && p.Origin != origin {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// What it says, however often that was signed.
	id := fmt.Sprintf("%.16x", sha256.Sum256(fmt.Appendf(nil, "%s %x %d %d", p.ID, p.LeafHash, p.Index, p.Size)))
	err = c.CheckPromise(ctx, note)
	early := errors.Is(err, mirror.ErrEarly)
	out := []watch.Condition{overdue(p, id, early)}
	switch {
	case kindOf(err) == watch.PromiseBroken:
		return append(out, m.broken(p, id, err)), nil
	case err == nil, early:
		return out, nil
	}
	return nil, err
}

// overdue is the condition that a log does not come to where it promised to be.
// It signs a promise when the entry is stored and sealed: what is left is to have
// the tree cosigned.
func overdue(p *promise.Promise, id string, early bool) watch.Condition {
	return watch.Condition{Key: "overdue " + id, Holds: early, Patience: Patience, Begins: watch.Event{
		Kind: watch.PromiseOverdue, Severity: catalogue.SeverityCaution, Index: &p.Index, Text: fmt.Sprintf(
			"the log promised %s at index %d of a tree of size %d, and has shown no tree of that size for %v", p.ID, p.Index, p.Size, Patience)}}
}

// broken is the condition that a log has put something else where it promised an
// entry. It never ends: both are signed.
func (m *Monitor) broken(p *promise.Promise, id string, err error) watch.Condition {
	key := "promise " + id
	kept, keepErr := m.evidence(p.Origin+" "+key, err)
	text := fmt.Sprintf("the log broke a promise that it signed: %s was to be at index %d: %v", p.ID, p.Index, err)
	if keepErr != nil {
		text += fmt.Sprintf("; the evidence could not be kept: %v", keepErr)
	}
	return watch.Condition{Key: key, Holds: true, Begins: watch.Event{
		ID: fmt.Sprintf("%s/%s/%s", p.Origin, watch.PromiseBroken, id), Kind: watch.PromiseBroken, Severity: catalogue.SeverityAct,
		Index: &p.Index, Text: text, Evidence: kept}}
}
