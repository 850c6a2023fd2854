package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/trust"
)

// Cosigner says what it holds. A *cosign.Client is one.
type Cosigner interface {
	Names() []string
	Held(ctx context.Context, origin string) ([]byte, error)
	HeldSize(ctx context.Context, checkpoint []byte) (uint64, error)
}

// Request says from what to recover.
type Request struct {
	// From is a copy of the log. Its checkpoint need only be signed by the log:
	// a mirror may hold more than has a quorum.
	From mirror.Source
	// Cosigners are all of the policy that can be asked.
	Cosigners []Cosigner
	// Without names cosigners that need not answer. Whoever names one says that
	// it has cosigned nothing that the mirror lacks.
	Without []string
}

// Recover makes the store from a mirror. It fails with the errors of this
// package, of mirror.Sync, and with sequencer.ErrRestored if a cosigner holds
// more than the mirror.
func Recover(ctx context.Context, cfg Config, r Request) (res *Result, err error) {
	for _, name := range r.Without {
		if !slices.ContainsFunc(cfg.Policy.Cosigners(), func(c trust.Cosigner) bool { return c.Name == name }) {
			return nil, fmt.Errorf("%q is no cosigner of the trust file", name)
		}
	}
	j, err := begin(ctx, cfg, recoveringName)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	note, err := r.From.Checkpoint(ctx)
	if err != nil {
		return nil, fmt.Errorf("checkpoint of the mirror: %w", err)
	}
	cp, err := j.Policy.OpenLogSigned(note)
	if err == nil && cp.Origin != cfg.Origin {
		err = fmt.Errorf("%w: it is of %s", trust.ErrUnknownLog, cp.Origin)
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint of the mirror: %w", err)
	}
	if most := max(j.reserved.Size, j.published.Size, j.before.Size); most > cp.Size {
		return nil, fmt.Errorf("%w: it has %d leaves, and %s says %d: use another mirror, or start the node as it is", ErrBehind, cp.Size, j.path(storeName), most)
	}
	policy, err := j.ownKeys()
	if err != nil {
		return nil, err
	}
	if err := j.fill(ctx, policy, r.From, note); err != nil {
		return nil, err
	}
	if err := j.compare(ctx); err != nil {
		return nil, err
	}
	if err := j.ask(ctx, r, note, cp); err != nil {
		return nil, err
	}
	j.notes = append(j.notes, note)
	return j.swap(ctx)
}

// ownKeys returns the policy of somebody who believes this log alone.
func (j *job) ownKeys() (*trust.Policy, error) {
	log, ok := j.Policy.Log(j.Origin)
	if !ok {
		return nil, fmt.Errorf("%w: %s", trust.ErrUnknownLog, j.Origin)
	}
	var b strings.Builder
	for _, k := range log.Keys {
		b.WriteString("log " + k.Vkey + "\n")
	}
	return trust.Parse([]byte(b.String() + "quorum none\n"))
}

// ask refuses to end below what a cosigner has seen. To sign, from here on,
// another tree of a size that was signed would be the end of the log.
func (j *job) ask(ctx context.Context, r Request, note []byte, cp *trust.Checkpoint) error {
	errs := make([]error, len(r.Cosigners))
	var wg sync.WaitGroup
	for i, c := range r.Cosigners {
		wg.Go(func() { errs[i] = j.askOne(ctx, c, note, cp) })
	}
	wg.Wait()
	var silent []string
	for i, err := range errs {
		names := r.Cosigners[i].Names()
		switch {
		case err == nil:
		case !errors.Is(err, ErrSilent):
			return fmt.Errorf("%s: %w", strings.Join(names, ", "), err)
		case slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(r.Without, n) }):
			silent = append(silent, fmt.Sprintf("%s: %v", strings.Join(names, ", "), err))
		}
	}
	for _, c := range j.Policy.Cosigners() {
		if !asked(r.Cosigners, c.Name) && !slices.Contains(r.Without, c.Name) {
			silent = append(silent, c.Name+": "+ErrSilent.Error()+": the trust file has no URL for it")
		}
	}
	if len(silent) > 0 {
		return fmt.Errorf("%w: if one of these has cosigned more than %d leaves, going on forks the log: %s; run this again when they answer, or with --without NAME for each of which you know that it has not",
			ErrSilent, cp.Size, strings.Join(silent, "; "))
	}
	return ctx.Err()
}

func asked(cosigners []Cosigner, name string) bool {
	return slices.ContainsFunc(cosigners, func(c Cosigner) bool { return slices.Contains(c.Names(), name) })
}

// askOne compares what a cosigner holds with the new store.
func (j *job) askOne(ctx context.Context, c Cosigner, note []byte, cp *trust.Checkpoint) error {
	size, err := j.held(ctx, c, note)
	switch {
	case errors.Is(err, cosign.ErrConflict):
		return fmt.Errorf("%w than what it has cosigned: %w", ErrContradiction, err)
	case errors.Is(err, ErrContradiction):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", ErrSilent, err)
	case size > cp.Size:
		return fmt.Errorf("%w: it holds size %d, and the mirror only %d: recover from another mirror; an auditor holds every leaf it has cosigned (--from ITS-URL/mirror/%s)", sequencer.ErrRestored, size, cp.Size, j.Origin)
	}
	for _, sig := range cp.Cosignatures {
		if slices.Contains(c.Names(), sig.Name) && size < cp.Size {
			return fmt.Errorf("%w: it has cosigned size %d, and remembers only %d", ErrSilent, cp.Size, size)
		}
	}
	return nil
}

// held returns the size of what a cosigner holds, of which the root is compared
// if it shows one.
func (j *job) held(ctx context.Context, c Cosigner, note []byte) (uint64, error) {
	shown, err := c.Held(ctx, j.Origin)
	if err != nil {
		return 0, err
	}
	if shown == nil {
		return c.HeldSize(ctx, note)
	}
	held, err := j.Policy.OpenLogSigned(shown)
	if err != nil {
		return 0, err
	}
	if held.Origin != j.Origin {
		return 0, fmt.Errorf("it shows a checkpoint of %s", held.Origin)
	}
	have, err := j.copy.RootAt(ctx, held.Size)
	if err != nil {
		return held.Size, nil // it is larger, which the caller sees
	}
	if have != held.Root {
		return 0, fmt.Errorf("%w than what it has cosigned: of the first %d leaves it has root %x, the mirror has %x, both signed by this log", ErrContradiction, held.Size, held.Root, have)
	}
	return held.Size, nil
}
