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
	answers := j.ask(ctx, r.Cosigners)
	shown, err := j.shown(ctx, r.From, answers)
	if err != nil {
		return nil, fmt.Errorf("checkpoint of the mirror: %w", err)
	}
	j.askSizes(ctx, r.Cosigners, answers, shown.note)
	end, err := j.fetch(ctx, r.From, shown, largest(answers))
	if err != nil {
		return nil, err
	}
	if err := j.compare(ctx); err != nil {
		return nil, err
	}
	if err := j.judge(ctx, answers, r.Without, end.cp); err != nil {
		return nil, err
	}
	return j.swap(ctx)
}

// signed is a checkpoint that this log has signed.
type signed struct {
	note []byte
	cp   *trust.Checkpoint
}

// shown returns the checkpoint of the mirror. Where it shows none it may hold what
// it has not published yet: then that of a cosigner will do.
func (j *job) shown(ctx context.Context, from mirror.Source, answers []answer) (*signed, error) {
	note, err := from.Checkpoint(ctx)
	if err == nil {
		return j.openNote(note)
	}
	if most := largest(answers); most != nil && ctx.Err() == nil {
		return most, nil
	}
	return nil, err
}

func (j *job) openNote(note []byte) (*signed, error) {
	cp, err := j.Policy.OpenLogSigned(note)
	if err == nil && cp.Origin != j.Origin {
		err = fmt.Errorf("%w: it is of %s", trust.ErrUnknownLog, cp.Origin)
	}
	if err != nil {
		return nil, err
	}
	return &signed{note, cp}, nil
}

// fetch fills the new store from the mirror: up to the checkpoint it shows, and
// on to the largest that a cosigner has shown, of which the mirror may have the
// leaves, too: auditors hold what was never published.
func (j *job) fetch(ctx context.Context, from mirror.Source, shown, most *signed) (end *signed, err error) {
	if most == nil || most.cp.Size < shown.cp.Size {
		most = shown
	}
	if needed := max(j.reserved.Size, j.published.Size, j.before.Size); needed > most.cp.Size {
		return nil, fmt.Errorf("%w: it has %d leaves, and %s says %d: use another mirror, or start the node as it is", ErrBehind, most.cp.Size, j.path(storeName), needed)
	}
	policy, err := j.ownKeys()
	if err != nil {
		return nil, err
	}
	if err := j.fill(ctx, policy, from, most.cp.Size, shown.note); err != nil {
		return nil, err
	}
	j.see(shown)
	if most.cp.Size == shown.cp.Size {
		return shown, nil
	}
	err = j.copy.Sync(ctx, pinned{from, most.note}, j.Progress)
	if _, ok := errors.AsType[*mirror.EvidenceError](err); ok {
		return nil, j.evident(err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: size %d, and the mirror shows %d and has not the rest (%w): recover from another mirror; an auditor holds every leaf it has cosigned (--from ITS-URL/mirror/%s)",
			sequencer.ErrRestored, most.cp.Size, shown.cp.Size, err, j.Origin)
	}
	j.see(most)
	return most, nil
}

// see remembers a checkpoint of which the new store has the leaves.
func (j *job) see(s *signed) {
	j.seen = append(j.seen, s)
	j.notes = append(j.notes, s.note)
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

// answer is what the cosigners at one address say.
type answer struct {
	names []string
	size  uint64  // of what they hold
	shown *signed // the same, unless they only say its size, or hold nothing
	err   error   // why nothing is known
}

// largest returns the largest of the checkpoints that were shown, or nil.
func largest(answers []answer) (most *signed) {
	for _, a := range answers {
		if a.shown != nil && (most == nil || a.shown.cp.Size > most.cp.Size) {
			most = a.shown
		}
	}
	return most
}

// ask asks all cosigners what they hold.
func (j *job) ask(ctx context.Context, cosigners []Cosigner) []answer {
	answers := make([]answer, len(cosigners))
	var wg sync.WaitGroup
	for i, c := range cosigners {
		wg.Go(func() { answers[i] = j.askOne(ctx, c) })
	}
	wg.Wait()
	for _, c := range j.Policy.Cosigners() {
		if !slices.ContainsFunc(answers, func(a answer) bool { return slices.Contains(a.names, c.Name) }) {
			answers = append(answers, answer{names: []string{c.Name}, err: errors.New("the trust file has no URL for it")})
		}
	}
	return answers
}

func (j *job) askOne(ctx context.Context, c Cosigner) answer {
	a := answer{names: c.Names()}
	note, err := c.Held(ctx, j.Origin)
	if err != nil || note == nil {
		a.err = err
		return a
	}
	if a.shown, a.err = j.openNote(note); a.err == nil {
		a.size = a.shown.cp.Size
	}
	return a
}

// askSizes asks those that have shown nothing for the size they hold. note is a
// checkpoint of this log.
func (j *job) askSizes(ctx context.Context, cosigners []Cosigner, answers []answer, note []byte) {
	var wg sync.WaitGroup
	for i, c := range cosigners {
		if a := &answers[i]; a.err == nil && a.shown == nil {
			wg.Go(func() { a.size, a.err = c.HeldSize(ctx, note) })
		}
	}
	wg.Wait()
}

// judge refuses to end below what a cosigner has seen. To sign, from here on,
// another tree of a size that was signed would be the end of the log.
func (j *job) judge(ctx context.Context, answers []answer, without []string, end *trust.Checkpoint) error {
	var silent []string
	for _, a := range answers {
		err := j.judgeOne(ctx, a, end)
		if err == nil {
			continue
		}
		names := strings.Join(a.names, ", ")
		if !errors.Is(err, ErrSilent) {
			return fmt.Errorf("%s: %w", names, err)
		}
		if slices.ContainsFunc(a.names, func(n string) bool { return !slices.Contains(without, n) }) {
			silent = append(silent, fmt.Sprintf("%s: %v", names, err))
		}
	}
	if len(silent) > 0 {
		return fmt.Errorf("%w: if one of these has cosigned more than %d leaves, going on forks the log: %s; run this again when they answer, or with --without NAME for each of which you know that it has not",
			ErrSilent, end.Size, strings.Join(silent, "; "))
	}
	return ctx.Err()
}

// judgeOne compares one answer with the new store.
func (j *job) judgeOne(ctx context.Context, a answer, end *trust.Checkpoint) error {
	switch {
	case errors.Is(a.err, cosign.ErrConflict):
		return fmt.Errorf("%w than what it has cosigned: %w", ErrContradiction, a.err)
	case a.err != nil:
		return fmt.Errorf("%w: %w", ErrSilent, a.err)
	case a.size > end.Size:
		return fmt.Errorf("%w: it holds size %d, and the mirror only %d: recover from another mirror; an auditor holds every leaf it has cosigned (--from ITS-URL/mirror/%s)", sequencer.ErrRestored, a.size, end.Size, j.Origin)
	}
	if a.shown != nil {
		root, err := j.copy.RootAt(ctx, a.size)
		if err != nil {
			return err
		}
		if root != a.shown.cp.Root {
			return fmt.Errorf("%w than what it has cosigned: of the first %d leaves it has root %x, the mirror has %x, both signed by this log", ErrContradiction, a.size, a.shown.cp.Root, root)
		}
	}
	for _, s := range j.seen {
		for _, sig := range s.cp.Cosignatures {
			if slices.Contains(a.names, sig.Name) && a.size < s.cp.Size {
				return fmt.Errorf("%w: it has cosigned size %d, and remembers only %d", ErrSilent, s.cp.Size, a.size)
			}
		}
	}
	return nil
}
