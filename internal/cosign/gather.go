package cosign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/standing-log/standing/personality/trust"
)

// Request is what to gather.
type Request struct {
	// Policy names the log, the cosigners, and the quorum.
	Policy *trust.Policy
	// Clients are those that can be asked.
	Clients []*Client
	// Auditors are the names of those cosigners that hold the leaves of what
	// they cosign. They are asked first.
	Auditors []string
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
	// Failures are the clients that gave no cosignature or were not asked, in
	// the order of Request.Clients. Those that have not answered yet are not
	// among them.
	Failures []Failure
	// Late yields Checkpoint again each time another client has cosigned it,
	// and is closed when all have answered. It need not be read.
	Late <-chan []byte
}

// Failure is why the cosigners at one submission prefix gave no cosignature.
type Failure struct {
	Names []string
	Err   error
}

// Gather asks for cosignatures until the quorum is there, or cannot be had. It
// fails only if the checkpoint is not one that a log of the policy signed; what
// cosigners do wrong is in the Result. Calls that have not ended then go on
// until they time out or ctx ends.
func Gather(ctx context.Context, r Request) (*Result, error) {
	base, err := r.Policy.OpenLogSigned(r.Checkpoint)
	if err != nil {
		return nil, fmt.Errorf("checkpoint to be cosigned: %w", err)
	}
	g := &gathering{
		Request: r, ctx: ctx, base: base, sigs: slices.Clone(base.Cosignatures),
		calls: make([]call, len(r.Clients)), answers: make(chan answer, len(r.Clients)),
	}
	for i, c := range r.Clients {
		g.calls[i].names = c.Names()
	}
	g.run()
	g.over = true
	res := &Result{Checkpoint: g.merged(), Failures: g.failures()}
	res.Opened, err = r.Policy.Open(res.Checkpoint, r.Now)
	if errors.Is(err, trust.ErrQuorum) {
		res.Quorum = err
		res.Opened, err = r.Policy.OpenLogSigned(res.Checkpoint)
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint with cosignatures: %w", err)
	}
	res.Late = g.late()
	return res, nil
}

// merged returns the checkpoint with all that has come.
func (g *gathering) merged() []byte { return merge(g.Policy, g.base, g.sigs, g.Now) }

// late returns Result.Late.
func (g *gathering) late() <-chan []byte {
	late := make(chan []byte, g.pending())
	go func() {
		defer close(late)
		for g.pending() > 0 {
			if g.take(<-g.answers) {
				late <- g.merged()
			}
		}
	}()
	return late
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
