// Package demo runs the main job end to end, in one process: a log with its
// witness, two stewards, attestations, offline checks, a withdrawal, and three
// forgeries that must not get through.
//
// Invariants:
//
//   - Run returns nil only if every step showed what it says.
//   - The components are those this binary was built from; what is said about
//     them is true of every Go module. The stewards are invented, under
//     .example, and so is the component whose attestation is withdrawn.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/trust"
)

// Origin of the demo's log.
const Origin = "standing.example/demo"

// Options of Run. Zero values make a log in a temporary directory, gone at the
// end.
type Options struct {
	Dir    string    // of the node; "": temporary
	Listen string    // address; "": any port of the loopback interface
	Keep   bool      // leave the log up until the context ends
	Out    io.Writer // for people
}

// Run runs the demo about the modules this binary was built from.
func Run(ctx context.Context, o Options) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("this binary carries no build information: build it with `make build`")
	}
	return run(ctx, o, info.Deps)
}

func run(ctx context.Context, o Options, modules []*debug.Module) (err error) {
	dir := o.Dir
	if dir == "" {
		tmp, err := os.MkdirTemp("", "standing-demo-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(tmp) }()
		dir = filepath.Join(tmp, "node")
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	d := &demo{ctx: ctx, out: o.Out, components: components(modules)}
	if len(d.components) == 0 {
		return errors.New("this binary's build information lists no modules: build it with `make build`")
	}
	d.say("DEMO LOG: the stewards are invented, and nothing here is a statement by anybody.\n")
	stop, err := d.start(dir, o.Listen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	for _, step := range []func() error{d.enrol, d.attest, d.check, d.withdraw, d.forge} {
		if err := step(); err != nil {
			return err
		}
	}
	if o.Keep {
		d.say("\nThe log stays up at %s until you interrupt it; log.vkey and trust.policy are in %s.\n", d.url, dir)
		<-ctx.Done()
	}
	return nil
}

// demo is one run.
type demo struct {
	ctx       context.Context
	out       io.Writer
	url       string
	policy    *trust.Policy
	client    *client.Client
	registrar *keyfile.Key
	stewards  [2]*steward

	components []component
	issued     []*entry.Entry // the one to be withdrawn is the last
	active     []byte         // bundle of the last, while it stood
	revoked    []byte         // and after it was withdrawn
}

// steward is an invented party.
type steward struct {
	name string
	key  *keyfile.Key
	id   entry.Hash
}

func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format, args...) }

// start makes the node and serves it.
func (d *demo) start(dir, listen string) (stop func() error, err error) {
	log := slog.New(slog.DiscardHandler)
	if err := node.Init(d.ctx, dir, Origin, log); err != nil {
		return nil, err
	}
	n, err := node.Open(d.ctx, dir, log)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	ctx, cancel := context.WithCancel(d.ctx)
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, l) }()
	stop = func() error {
		cancel()
		return errors.Join(<-done, n.Close())
	}
	d.url = "http://" + l.Addr().String()
	d.say("A log, %s, and a witness beside it, at %s\n", Origin, d.url)
	return stop, errors.Join(d.connect(dir), n.WaitPublished(d.ctx, 2))
}

// connect reads what a client needs: the trust file and the registrar's key.
func (d *demo) connect(dir string) error {
	var err error
	if d.policy, err = node.ReadPolicy(dir); err != nil {
		return err
	}
	if d.registrar, err = keyfile.Load(filepath.Join(dir, "registrar.key")); err != nil {
		return err
	}
	d.client, err = client.New(d.url, client.Config{})
	return err
}

// enrol enrols the stewards.
func (d *demo) enrol() error {
	for i, name := range []string{"Widgets Foundation", "Northern Lights Stewardship"} {
		s, err := newSteward(name)
		if err != nil {
			return err
		}
		e, err := d.enrolment(s)
		if err != nil {
			return err
		}
		if _, err := d.client.Submit(d.ctx, e.Leaf, false); err != nil {
			return fmt.Errorf("enrolling %s: %w", name, err)
		}
		s.id = e.ID
		d.stewards[i] = s
		d.say("Enrolled %s, %s\n", name, e.IDString())
	}
	return nil
}

func newSteward(name string) (*steward, error) {
	k, err := keyfile.Generate()
	return &steward{name: name, key: k}, err
}

// enrolment is the registrar's entry about a steward, with proofs of
// possession by both of its keys.
func (d *demo) enrolment(s *steward) (*entry.Entry, error) {
	recovery, err := keyfile.Generate()
	if err != nil {
		return nil, err
	}
	id, recoveryID := s.key.Public().ID(), recovery.Public().ID()
	prove := func(k *keyfile.Key) (entry.KeyProof, error) {
		pop, err := k.Sign(entry.EnrolText(Origin, s.name, recoveryID, []entry.Hash{id}, k.Public().ID()))
		return entry.KeyProof{Key: k.Public(), Pop: pop}, err
	}
	key, err := prove(s.key)
	if err != nil {
		return nil, err
	}
	rec, err := prove(recovery)
	if err != nil {
		return nil, err
	}
	return entry.Sign(entry.Payload(&entry.Party{
		Log: Origin, Action: entry.ActionEnrol, Name: s.name, Website: "https://stewards.example/",
		Roles: []string{"steward"}, Keys: []entry.KeyProof{key}, Recovery: &rec,
	}, entry.KeySubject(id), entry.KeySubject(recoveryID)), d.registrar)
}

// attest issues an attestation for each module of this binary, and for one
// component that does not exist.
func (d *demo) attest() error {
	components := append(d.components, widget())
	leaves := make([][]byte, len(components))
	for i, c := range components {
		s := d.stewards[i%len(d.stewards)]
		e, err := entry.Sign(c.payload(time.Now()), s.key)
		if err != nil {
			return fmt.Errorf("attesting %s: %w", c.subject.Name, err)
		}
		d.issued, leaves[i] = append(d.issued, e), e.Leaf
	}
	began := time.Now()
	results, err := d.client.SubmitBatch(d.ctx, leaves, true)
	if err != nil {
		return err
	}
	for i, r := range results {
		if r.Refused != nil {
			return fmt.Errorf("attestation of %s: %w", components[i].subject.Name, r.Refused)
		}
	}
	d.say("Issued %d attestations in %s: %d modules this binary was built from, and %s, which does not exist\n",
		len(leaves), time.Since(began).Round(time.Millisecond), len(leaves)-1, components[len(components)-1].subject.Name)
	return nil
}
