package cosign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/standing-log/standing/personality/trust"
)

// Request is what to gather.
type Request struct {
	// Policy names the log, the cosigners, and the quorum.
	Policy *trust.Policy
	// Clients are asked, all at once. They may be some of the policy's, so that
	// auditors can be asked before witnesses.
	Clients []*Client
	// Checkpoint is signed by the log, and may carry cosignatures.
	Checkpoint []byte
	// Consistency proves older sizes.
	Consistency Consistency
	// Now is when Gather is called.
	Now time.Time
	// Grace is how long to wait for the other cosigners once new cosignatures
	// satisfy the quorum. Negative: as long as they take, that is until each
	// client's timeout.
	Grace time.Duration
	// Metrics counts how the clients answer; nil: nobody counts.
	Metrics *Metrics
}

// Result is what was gathered.
type Result struct {
	// Checkpoint is the note with the cosignatures merged in (see the package
	// documentation).
	Checkpoint []byte
	// Opened is Checkpoint under the policy. It is Witnessed iff Quorum is nil
	// and the policy asks for a quorum.
	Opened *trust.Checkpoint
	// Quorum is nil, or the *[trust.QuorumError] that says who is wanting.
	Quorum error
	// Failures are the clients that gave no cosignature, in the order of
	// Request.Clients. Those cut off after Grace have context.Canceled.
	Failures []Failure
}

// Failure is why the cosigners at one submission prefix gave no cosignature.
type Failure struct {
	Names []string
	Err   error
}

// Gather asks all clients in parallel for cosignatures. It fails only if the
// checkpoint is not one that a log of the policy signed; what cosigners do
// wrong is in the Result.
func Gather(ctx context.Context, r Request) (*Result, error) {
	base, err := r.Policy.OpenLogSigned(r.Checkpoint)
	if err != nil {
		return nil, fmt.Errorf("checkpoint to be cosigned: %w", err)
	}
	fresh, failures := r.ask(ctx)
	res := &Result{Failures: failures}
	res.Checkpoint = merge(r.Policy, base, append(slices.Clone(base.Cosignatures), fresh...), r.Now)
	res.Opened, err = r.Policy.Open(res.Checkpoint, r.Now)
	if errors.Is(err, trust.ErrQuorum) {
		res.Quorum = err
		res.Opened, err = r.Policy.OpenLogSigned(res.Checkpoint)
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint with cosignatures: %w", err)
	}
	return res, nil
}

type answer struct {
	client int
	sigs   []trust.Cosignature
	err    error
}

// ask returns new cosignatures and the failures. All its goroutines have ended
// when it returns.
func (r *Request) ask(ctx context.Context) (fresh []trust.Cosignature, failures []Failure) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan answer, len(r.Clients))
	var wg sync.WaitGroup
	for i, c := range r.Clients {
		wg.Go(func() {
			began := time.Now()
			sigs, err := c.Cosign(ctx, r.Checkpoint, r.Consistency)
			r.Metrics.answered(c, time.Since(began), err)
			answers <- answer{i, sigs, err}
		})
	}
	go func() { wg.Wait(); close(answers) }()

	errs := make([]error, len(r.Clients))
	var grace *time.Timer
	defer func() {
		if grace != nil {
			grace.Stop()
		}
	}()
	for a := range answers {
		errs[a.client] = a.err
		fresh = append(fresh, a.sigs...)
		// What the checkpoint carried before does not shorten the wait: a refresh
		// wants a quorum of new ones.
		if grace == nil && r.Grace >= 0 && r.satisfied(fresh) {
			grace = time.AfterFunc(r.Grace, cancel)
		}
	}
	for i, err := range errs {
		if err != nil {
			failures = append(failures, Failure{Names: r.Clients[i].Names(), Err: err})
		}
	}
	return fresh, failures
}

func (r *Request) satisfied(sigs []trust.Cosignature) bool {
	_, err := r.Policy.QuorumTime(sigs, r.Now)
	return err == nil && !r.Policy.QuorumNone()
}

// merge formats the checkpoint with the best of the cosignatures of each
// cosigner: the newest that counts, or the newest if none does.
func merge(p *trust.Policy, base *trust.Checkpoint, sigs []trust.Cosignature, now time.Time) []byte {
	latest := now.Add(trust.MaxSkew).Unix()
	rank := func(c trust.Cosignature) int64 {
		if c.Unix > latest {
			return -1
		}
		return c.Unix
	}
	var b bytes.Buffer
	b.WriteString(base.Body.String() + "\n")
	for _, line := range base.LogLines {
		b.WriteString(line + "\n")
	}
	for _, o := range p.Cosigners() {
		var best *trust.Cosignature
		for i, c := range sigs {
			if c.Name == o.Name && (best == nil || rank(c) > rank(*best)) {
				best = &sigs[i]
			}
		}
		if best != nil {
			b.WriteString(best.Line + "\n")
		}
	}
	return b.Bytes()
}
