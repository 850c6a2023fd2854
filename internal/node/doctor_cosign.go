package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/trust"
)

// cosigners asks each cosigner of trust.policy what it holds.
func (d *doctor) cosigners(ctx context.Context) {
	clients, err := cosign.NewClients(d.policy, nil, d.cfg.Cosign.Timeout)
	if err != nil {
		d.add(Bad, "cosigners", "correct "+policyFile, "%v", err)
		return
	}
	held := make([]*cosign.Holding, len(clients))
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() { held[i], errs[i] = c.Holds(ctx, d.cfg.Origin) })
	}
	wg.Wait()
	up := map[string]bool{}
	for i, c := range clients {
		name := strings.Join(c.Names(), ", ")
		if errs[i] != nil {
			d.add(Doubt, "cosigner "+name, "call its operator", "it does not answer: %v", errs[i])
			continue
		}
		for _, n := range c.Names() {
			up[n] = true
		}
		d.holding("cosigner "+name, held[i])
		d.clock("clock", name, held[i].Clock)
	}
	d.local(up)
	d.quorum(up)
	d.mirrors(ctx)
}

// holding compares what a cosigner holds with what is known here.
func (d *doctor) holding(name string, h *cosign.Holding) {
	if h.Checkpoint == nil {
		d.add(Good, name, "", "it answers, and shows no checkpoint of this log")
		return
	}
	cp, err := d.policy.OpenLogSigned(h.Checkpoint)
	switch {
	case err != nil:
		d.add(Bad, name, "compare its address and key with its operator", "it shows what this log has not signed: %v", err)
	case cp.Size > d.size && !d.running && d.size > 0:
		d.add(Bad, name, "standingd recover --dir "+d.dir+" --from MIRROR", "it holds size %d, the store %d: this is a restored backup", cp.Size, d.size)
	case cp.Size == d.size && d.published != nil && d.published.Size == d.size && d.published.Root != cp.Root:
		d.add(Bad, name, "stop the node, keep everything, and see `CosignerAhead` in the manual", "it holds another tree of size %d", cp.Size)
	default:
		d.add(Good, name, "", "it holds size %d", cp.Size)
	}
}

// clock compares a clock that was shown just now with ours.
func (d *doctor) clock(name, whose string, theirs time.Time) {
	if theirs.IsZero() {
		return
	}
	if off := time.Since(theirs).Round(time.Second); off.Abs() > trust.MaxSkew {
		d.add(Bad, name, "set the clock of this machine, or tell its operator", "it is %v ahead of that of %s; more than %v breaks cosigning", off, whose, trust.MaxSkew)
	} else if off.Abs() > trust.MaxSkew/5 {
		d.add(Doubt, name, "let both machines keep their clocks by NTP", "it is %v ahead of that of %s", off, whose)
	}
}

// local adds the witness of this node, which has no URL.
func (d *doctor) local(up map[string]bool) {
	remote := 0
	for _, c := range d.policy.Cosigners() {
		if c.URL != "" {
			remote++
			continue
		}
		if own, _ := os.ReadFile(filepath.Join(d.dir, witnessVkey)); strings.TrimSpace(string(own)) == c.Key.Vkey {
			up[c.Name] = true // it is in this process, or in the one that runs
			continue
		}
		d.add(Doubt, "cosigner "+c.Name, "add its URL to "+policyFile, "nobody can ask it")
	}
	if remote == 0 {
		d.add(Doubt, "witnesses", "have others, in other hands, cosign: docs/operators.md",
			"none is outside of this machine: against two clones of a whole node only witnesses help")
	}
}

// quorum finds out whether the quorum can be met, and who must not fail.
func (d *doctor) quorum(up map[string]bool) {
	if d.policy.QuorumNone() {
		d.add(Doubt, "quorum", "name witnesses in "+policyFile, "none is asked for: readers are told that nobody has witnessed this log")
		return
	}
	met := func(without string) bool {
		var sigs []trust.Cosignature
		for name := range up {
			if name != without {
				sigs = append(sigs, trust.Cosignature{Name: name, Unix: 1})
			}
		}
		_, err := d.policy.QuorumTime(sigs, time.Now())
		return err == nil
	}
	if !met("") {
		d.add(Bad, "quorum", "call the operators of those that do not answer", "%d of %d cosigners answer, which is no quorum: nothing is published", len(up), len(d.policy.Cosigners()))
		return
	}
	var needed []string
	for _, c := range d.policy.Cosigners() {
		if up[c.Name] && !met(c.Name) {
			needed = append(needed, c.Name)
		}
	}
	if len(needed) > 0 {
		d.add(Doubt, "quorum", "add cosigners, so that each of them may fail", "it is met, and not without %s", strings.Join(needed, ", "))
		return
	}
	d.add(Good, "quorum", "", "it is met, also with any one of %d down", len(up))
}

// mirrors looks whether the auditors serve what is published: it is what a lost
// store is recovered from.
func (d *doctor) mirrors(ctx context.Context) {
	found := false
	for _, c := range d.policy.Cosigners() {
		base, ok := strings.CutSuffix(c.URL, "/auditor")
		if found = found || ok || slices.Contains(d.cfg.Cosign.Auditors, c.Name); !ok {
			continue // where the copy of another's auditor lies is not known
		}
		address := base + "/mirror/" + d.cfg.Origin
		size, err := d.mirrored(ctx, address)
		switch {
		case err != nil:
			d.add(Doubt, "mirror "+c.Name, "call its operator", "%s: %v", address, err)
		case d.published != nil && size < d.published.Size:
			d.add(Doubt, "mirror "+c.Name, "look again in a minute", "%s is at size %d of %d", address, size, d.published.Size)
		default:
			d.add(Good, "mirror "+c.Name, "", "%s is at size %d", address, size)
		}
	}
	if !found {
		d.add(Doubt, "auditor", "ask somebody to audit this log: docs/operators.md", "none is in %s: nobody else is known to hold the leaves, and a lost store cannot be recovered", policyFile)
	}
}

func (d *doctor) mirrored(ctx context.Context, address string) (uint64, error) {
	c, err := client.New(address, client.Config{Attempts: 1, Timeout: doctorTimeout})
	if err != nil {
		return 0, err
	}
	n, err := c.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	cp, err := d.policy.OpenLogSigned(n)
	if err != nil {
		return 0, err
	}
	if cp.Origin != d.cfg.Origin {
		return 0, errors.New("it is another log's")
	}
	return cp.Size, nil
}
