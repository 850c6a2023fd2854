package cosign

import (
	"context"
	"slices"
	"time"

	"github.com/standing-log/standing/personality/trust"
)

// gathering is one Gather. It is used by one goroutine at a time.
type gathering struct {
	Request
	ctx     context.Context
	base    *trust.Checkpoint
	sigs    []trust.Cosignature // that base had, and that have come
	calls   []call              // by client
	answers chan answer         // has room for all
	over    bool                // Gather has returned
}

// call is where the call of one client stands.
type call struct {
	state state
	names []string // of the cosigners; of those that have cosigned, if any has
	err   error    // if failed
}

type state int

const (
	unasked state = iota
	asked
	cosigned
	failed
)

type answer struct {
	client int
	sigs   []trust.Cosignature
	took   time.Duration
	err    error
}

// run asks, and takes answers until it is time to stop.
func (g *gathering) run() {
	var grace <-chan time.Time
	for {
		g.ask()
		if g.pending() == 0 {
			return
		}
		if grace == nil && g.Grace >= 0 && g.reaches(cosigned) {
			if !g.worthwhile() {
				return
			}
			t := time.NewTimer(g.Grace)
			defer t.Stop()
			grace = t.C
		}
		select {
		case a := <-g.answers:
			g.take(a)
		case <-grace:
			return
		case <-g.ctx.Done():
			return
		}
	}
}

// ask begins the calls that are due.
//
// SPEC (design, "cosign"): auditors first, then witnesses: so no witness ever
// holds a size whose leaves exist in one place only. The witnesses' turn is when
// they can make up the quorum with the auditors that have cosigned. Who fails
// again and again, or is busy, is asked if there is no quorum without him.
func (g *gathering) ask() {
	held := g.quorum(func(i int) bool { return !g.audits(i) || g.calls[i].state == cosigned })
	ready := func(i int) bool { return g.Clients[i].unready() == nil }
	needed := !g.quorum(func(i int) bool {
		s := g.calls[i].state
		return s == asked || s == cosigned || s == unasked && ready(i)
	})
	for i := range g.calls {
		if g.calls[i].state == unasked && (held || g.audits(i)) && (needed || ready(i)) {
			g.begin(i)
		}
	}
}

// begin calls one client.
func (g *gathering) begin(i int) {
	g.calls[i].state = asked
	go func() {
		began := time.Now()
		sigs, err := g.Clients[i].Cosign(g.ctx, g.Checkpoint, g.Consistency)
		g.answers <- answer{i, sigs, time.Since(began), err}
	}()
}

// take takes an answer, and reports whether it has cosignatures.
func (g *gathering) take(a answer) bool {
	g.Metrics.answered(g.Clients[a.client], a, g.over)
	c := &g.calls[a.client]
	if a.err != nil {
		c.state, c.err = failed, a.err
		return false
	}
	c.state, c.names = cosigned, nil
	for _, sig := range a.sigs {
		c.names = append(c.names, sig.Name)
	}
	g.sigs = append(g.sigs, a.sigs...)
	return true
}

func (g *gathering) pending() (n int) {
	for _, c := range g.calls {
		if c.state == asked {
			n++
		}
	}
	return n
}

// worthwhile reports whether somebody who has not answered yet usually does so
// within the grace.
func (g *gathering) worthwhile() bool {
	for i, c := range g.calls {
		if c.state == asked && g.Clients[i].prompt(g.Grace) {
			return true
		}
	}
	return false
}

// audits reports whether one of a client's cosigners is an auditor.
func (g *gathering) audits(i int) bool {
	return slices.ContainsFunc(g.Clients[i].cosigners, func(o trust.Cosigner) bool { return slices.Contains(g.Auditors, o.Name) })
}

// reaches reports whether the clients in a state are a quorum.
func (g *gathering) reaches(s state) bool {
	return g.quorum(func(i int) bool { return g.calls[i].state == s })
}

// quorum reports whether the clients that are in are a quorum. What the
// checkpoint carried before does not count: a refresh wants new cosignatures.
func (g *gathering) quorum(in func(client int) bool) bool {
	var names []string
	for i, c := range g.calls {
		if in(i) {
			names = append(names, c.names...)
		}
	}
	return Suffices(g.Policy, names)
}

// Suffices reports whether cosignatures of these cosigners satisfy the quorum.
func Suffices(p *trust.Policy, names []string) bool {
	now := time.Unix(1, 0)
	var sigs []trust.Cosignature
	for _, n := range names {
		sigs = append(sigs, trust.Cosignature{Name: n, Unix: now.Unix()})
	}
	_, err := p.QuorumTime(sigs, now)
	return err == nil
}

// failures lists the clients that gave no cosignature.
func (g *gathering) failures() (failures []Failure) {
	for i, c := range g.calls {
		err := c.err
		if c.state == unasked {
			if err = g.Clients[i].unready(); err == nil {
				err = ErrNotHeld
			}
			g.Metrics.notAsked(g.Clients[i], err)
		}
		if err != nil {
			failures = append(failures, Failure{g.Clients[i].Names(), err})
		}
	}
	return failures
}
