package demo

import (
	"errors"
	"fmt"
	"time"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/verify"
)

// judge verifies a bundle as a reader would, with nothing but the trust file.
func (d *demo) judge(b []byte) *verify.Report {
	return verify.Bundle(b, verify.Options{Policy: d.policy, Now: time.Now()})
}

// expect is judge, and an error unless the verdict is the one given.
func (d *demo) expect(b []byte, want verify.Verdict) (*verify.Report, error) {
	r := d.judge(b)
	if r.Verdict != want || want == verify.Active && !r.Witnessed {
		return nil, fmt.Errorf("the verdict is %s (witnessed: %v), expected was %s: %v", r.Verdict, r.Witnessed, want, r.Err)
	}
	return r, nil
}

// widget is the attestation that will be withdrawn, and its issuer.
func (d *demo) widget() (*entry.Entry, *steward) {
	n := len(d.issued) - 1
	return d.issued[n], d.stewards[n%len(d.stewards)]
}

// check fetches bundles of everything and verifies them offline.
func (d *demo) check() error {
	var ids []string
	for _, e := range d.issued {
		ids = append(ids, e.IDString())
	}
	all, err := d.client.Bundle(d.ctx, ids...)
	if err != nil {
		return err
	}
	began := time.Now()
	r, err := d.expect(all, verify.Active)
	if err != nil {
		return fmt.Errorf("bundle of all: %w", err)
	}
	if len(r.Results) != len(ids) {
		return fmt.Errorf("bundle of all: %d results for %d attestations", len(r.Results), len(ids))
	}
	d.say("Checked all %d offline, from one file of %d KB, in %s: each stands as of %s\n",
		len(ids), len(all)/1024, time.Since(began).Round(time.Millisecond), stamp(r.AsOf))
	e, _ := d.widget()
	if d.active, err = d.client.Bundle(d.ctx, e.IDString()); err != nil {
		return err
	}
	if r, err = d.expect(d.active, verify.Active); err != nil {
		return fmt.Errorf("bundle of the widget: %w", err)
	}
	d.show(r)
	return nil
}

// show prints a verdict.
func (d *demo) show(r *verify.Report) {
	for _, res := range r.Results {
		d.say("\n  %s\n  %s attested %s\n", res.ID, res.PartyName, res.Entry.Subjects[0].Name)
		if res.Verdict == verify.Active {
			d.say("  ACTIVE: it stood as of %s (size %d, cosigned by %v)\n\n", stamp(r.AsOf), r.Size, r.Cosigners)
			continue
		}
		for _, c := range res.Causes {
			d.say("  %s as of %s: %s%s\n\n", c.Verdict, stamp(r.AsOf), c.Detail, because(c))
		}
	}
}

// because names the reason of a revocation.
func because(c verify.Cause) string {
	if c.Event == nil || c.Event.Revocation == nil {
		return ""
	}
	r, _ := catalogue.ReasonByNumber(c.Event.Revocation.Reason)
	return fmt.Sprintf("; reason %s, %v", r.Code, c.Event.Revocation.Refs)
}

// withdraw revokes the widget's attestation and shows that the verdict changes.
func (d *demo) withdraw() error {
	e, s := d.widget()
	vulnerability, ok := catalogue.ReasonByCode("vulnerability")
	if !ok {
		return errors.New("the catalogue has no reason vulnerability")
	}
	revocation, err := entry.Sign(entry.Payload(&entry.Revocation{
		Log: Origin, Action: entry.ActionRevoke, Reason: vulnerability.Number,
		Refs: []string{"EXAMPLE-2026-0001"}, Link: "https://widgets.example/advisories/1",
	}, entry.AttestationSubject(e.ID)), s.key)
	if err != nil {
		return err
	}
	// Somebody else cannot withdraw it.
	if err := d.strangerRevokes(e); err != nil {
		return err
	}
	if _, err := d.client.Submit(d.ctx, revocation.Leaf, true); err != nil {
		return err
	}
	d.say("%s withdraws it.\n", s.name)
	if d.revoked, err = d.client.Bundle(d.ctx, e.IDString()); err != nil {
		return err
	}
	r, err := d.expect(d.revoked, verify.Revoked)
	if err != nil {
		return err
	}
	d.show(r)
	return nil
}

// strangerRevokes shows that another party's revocation is refused.
func (d *demo) strangerRevokes(e *entry.Entry) error {
	_, issuer := d.widget()
	stranger := d.stewards[0]
	if stranger == issuer {
		stranger = d.stewards[1]
	}
	foreign, err := entry.Sign(entry.Payload(&entry.Revocation{
		Log: Origin, Action: entry.ActionRevoke, Reason: 0,
	}, entry.AttestationSubject(e.ID)), stranger.key)
	if err != nil {
		return err
	}
	_, err = d.client.Submit(d.ctx, foreign.Leaf, false)
	if err == nil {
		return fmt.Errorf("%s could withdraw the attestation of %s", stranger.name, issuer.name)
	}
	d.say("%s tries to withdraw it, and is refused: %v\n", stranger.name, err)
	return nil
}

// forge makes three files that must not get through.
func (d *demo) forge() error {
	d.say("Three forgeries:\n")
	for _, f := range []struct {
		what string
		make func() ([]byte, error)
	}{
		{"the record altered back to active", d.alterRecord},
		{"the attestation signed by another party", d.foreignSignature},
		{"an inclusion proof without the status", d.inclusionOnly},
	} {
		b, err := f.make()
		if err != nil {
			return fmt.Errorf("forging %s: %w", f.what, err)
		}
		r := d.judge(b)
		if r.ExitCode(true) == 0 {
			return fmt.Errorf("%s got through", f.what)
		}
		d.say("  %-42s %s: %s\n", f.what, r.Verdict, cause(r))
	}
	return nil
}

func cause(r *verify.Report) string {
	if r.Err != nil {
		return r.Err.Error()
	}
	return r.Results[0].Causes[0].Detail
}

// alterRecord puts the record of the time when it stood into the bundle that
// shows it revoked.
func (d *demo) alterRecord() ([]byte, error) {
	before, err := bundle.Parse(d.active)
	if err != nil {
		return nil, err
	}
	b, err := bundle.Parse(d.revoked)
	if err != nil {
		return nil, err
	}
	b.Attestations[0].Record = before.Attestations[0].Record
	b.Causes = nil
	return b.Marshal()
}

// foreignSignature puts the same statement, signed by the other steward, in
// place of the entry.
func (d *demo) foreignSignature() ([]byte, error) {
	e, issuer := d.widget()
	other := d.stewards[0]
	if other == issuer {
		other = d.stewards[1]
	}
	forged, err := entry.Sign(e.Payload, other.key)
	if err != nil {
		return nil, err
	}
	b, err := bundle.Parse(d.active)
	if err != nil {
		return nil, err
	}
	b.Attestations[0].Entry = forged.Leaf
	return b.Marshal()
}

// inclusionOnly drops record and proof: the path alone still leads to the root.
func (d *demo) inclusionOnly() ([]byte, error) {
	b, err := bundle.Parse(d.active)
	if err != nil {
		return nil, err
	}
	b.Attestations[0].Record, b.Attestations[0].Proof = nil, nil
	return b.Marshal()
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
