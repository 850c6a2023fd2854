// Package check tells which security attestations there are about the
// components of an SBOM, and how they stand.
//
// MATCHING.md beside this file is the rule by which an attestation is about a
// component, and by which a component gets its verdict. [Ask] has a log, or the
// copy of one, prove what it has about the components; [Judge] makes a [Result]
// of these proofs, of which text, JSON and other forms are written.
//
// Invariants:
//
//   - A Result has one item per component of the SBOM, in its order.
//   - Whatever it says of an attestation is what package verify found in the
//     bytes of a bundle, whoever made it. Nothing else is asked, least of all
//     the network.
//   - Nothing is taken not to be attested because it is not shown.
package check

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/personality/verify"
)

// Answerer proves what a log has about subjects, and may be asked by several
// goroutines at a time. A *prover.State is one.
type Answerer interface {
	// Answer returns a bundle about the first n subjects, n > 0.
	Answer(subjects ...string) (file []byte, n int, err error)
}

// Evidence is what a log shows about the components of an SBOM.
type Evidence struct {
	Origin  string
	Bundles [][]byte // of one checkpoint
	// Err says why there is nothing. Contradicts says that it is because the
	// log contradicts what it has shown, or itself.
	Err         error
	Contradicts bool
}

// askAtOnce is the number of subjects that are asked about in one go: enough for
// bundles to share what they have in common, and few enough for all processors
// to have work.
const askAtOnce = 1000

// Ask has a log prove what it has about the components.
func Ask(components []sbom.Component, log Answerer) ([][]byte, error) {
	chunks := slices.Collect(slices.Chunk(subjects(components), askAtOnce))
	answers := make([][][]byte, len(chunks))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, rest := range chunks {
		g.Go(func() error {
			for len(rest) > 0 {
				b, n, err := log.Answer(rest...)
				if err != nil {
					return err
				}
				answers[i], rest = append(answers[i], b), rest[n:]
			}
			return nil
		})
	}
	err := g.Wait()
	return slices.Concat(answers...), err
}

// subjects are the names that a log is asked about, each once.
func subjects(components []sbom.Component) (all []string) {
	seen := map[string]bool{}
	for _, c := range components {
		for _, s := range newTarget(c).subjects() {
			if !seen[s] {
				seen[s], all = true, append(all, s)
			}
		}
	}
	return all
}

// Judge tells what the evidence says about the components. doc.Components are
// what counts of doc; the rest is copied.
func Judge(doc *sbom.Document, evidence []Evidence, o verify.Options) *Result {
	if o.MaxAge == 0 {
		o.MaxAge = verify.DefaultMaxAge
	}
	now := o.Now
	if !o.At.IsZero() {
		now = o.At
	}
	r := &Result{
		SBOM: SBOM{Format: doc.Format, SHA256: fmt.Sprintf("%x", doc.Digest), Product: doc.Product},
		Now:  now.UTC().Truncate(time.Second), Logs: []Log{}, Components: make([]Component, len(doc.Components)),
	}
	views := make([]*view, len(evidence))
	for i, e := range evidence {
		views[i] = openView(e, o)
		r.Logs = append(r.Logs, views[i].log)
	}
	for i, c := range doc.Components {
		j := newJudging(i, c, now)
		for _, v := range views {
			j.read(v)
		}
		r.Components[i] = j.judge()
	}
	r.Totals = count(r.Components)
	return r
}

// view is what one log shows, verified.
type view struct {
	log     Log
	verdict verify.Verdict
	reports []*verify.Report
	known   map[string]*Attestation // by id: what does not depend on the component
}

// openView verifies the bundles of a log.
func openView(e Evidence, o verify.Options) *view {
	v := &view{log: Log{Origin: e.Origin, Bundles: e.Bundles}, verdict: verify.None, known: map[string]*Attestation{}}
	switch {
	case e.Contradicts:
		return v.fail(verify.Rollback, e.Err)
	case e.Err != nil:
		return v.fail(verify.NoEvidence, e.Err)
	}
	v.reports = make([]*verify.Report, len(e.Bundles))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, b := range e.Bundles {
		g.Go(func() error {
			v.reports[i] = verify.Bundle(b, o)
			return nil
		})
	}
	_ = g.Wait() // no function fails
	for i, r := range v.reports {
		switch first := v.reports[0]; {
		case r.Err != nil:
			return v.fail(r.Verdict, r.Err)
		case r.Origin != e.Origin:
			return v.fail(verify.Invalid, fmt.Errorf("a bundle is of %s", r.Origin))
		// What stood then and what stands now are not to be mixed.
		case r.Size != first.Size || r.Root != first.Root || !r.AsOf.Equal(first.AsOf):
			return v.fail(verify.Invalid, errors.New("bundles of different checkpoints"))
		}
		for _, a := range r.Results {
			if a.Verdict == verify.Invalid {
				return v.fail(verify.Invalid, fmt.Errorf("%s in bundle %d: %s", a.ID, i, a.Causes[0].Detail))
			}
		}
	}
	v.describe()
	return v
}

// describe notes what all bundles of a log have in common.
func (v *view) describe() {
	v.log.Verdict = Unasked
	if len(v.reports) == 0 {
		return
	}
	r := v.reports[0]
	v.log.Size, v.log.Root, v.log.AsOf = r.Size, fmt.Sprintf("%x", r.Root), r.AsOf.UTC()
	v.log.Witnessed, v.log.Cosigners, v.log.Verdict = r.Witnessed, r.Cosigners, Fresh
	if r.Stale != "" {
		v.verdict, v.log.Verdict, v.log.Error = verify.Stale, verify.Stale.String(), r.Stale
	}
}

// fail notes that nothing can be said from a log's evidence.
func (v *view) fail(verdict verify.Verdict, err error) *view {
	v.verdict, v.reports = verdict, nil
	v.log.Verdict, v.log.Error = verdict.String(), err.Error()
	return v
}
