package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/trust"
)

// Limits of a list of versions.
const (
	maxVersionList = 1 << 20 // bytes
	maxVersions    = 4096
)

// readDrafts reads every draft, and multiplies the one by the versions if they
// are given.
func (a *app) readDrafts(files []string, versions string) ([]named, error) {
	var out []named
	for _, file := range files {
		d, err := a.readDraft(file)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	if versions == "" {
		return out, nil
	}
	if len(files) != 1 || versions == "-" && files[0] == "-" {
		return nil, usage("--versions goes with one draft in a file")
	}
	data, err := a.readFile(versions, maxVersionList)
	if err != nil {
		return nil, err
	}
	return out[0].multiply(data, versions)
}

// multiply makes a draft for each line, VERSION DIGEST, of a list.
func (d named) multiply(list []byte, where string) (out []named, err error) {
	if len(d.Subjects) != 1 {
		return nil, usage("%s has %d subjects: --versions goes with one", d.file, len(d.Subjects))
	}
	if d.Supersedes != "" {
		return nil, usage("%s supersedes another, which only one can", d.file).hinted("take supersedes out, or issue it without --versions")
	}
	base, err := purl.Parse(d.Subjects[0].Purl)
	if err != nil {
		return nil, usage("%s: %w", d.file, err)
	}
	lines := bufio.NewScanner(bytes.NewReader(list))
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return nil, usage("%s:%d is not VERSION DIGEST", where, n).hinted("write lines such as: 1.4.0 sha256:<hex>")
		}
		one, err := d.version(base, fields[0], fields[1])
		if err != nil {
			return nil, usage("%s:%d: %w", where, n, err)
		}
		if slices.ContainsFunc(out, func(o named) bool { return o.name == one.name }) || len(out) == maxVersions {
			return nil, usage("%s:%d names a version again, or is too much", where, n)
		}
		out = append(out, one)
	}
	if err := lines.Err(); err != nil {
		return nil, usage("%s: %w", where, err)
	}
	if len(out) == 0 {
		return nil, usage("%s lists no version", where).hinted("write lines such as: 1.4.0 sha256:<hex>")
	}
	return out, nil
}

// version is the draft about one version.
func (d named) version(base purl.Purl, version, digest string) (named, error) {
	rest := strings.TrimPrefix(base.String(), base.Component()) // qualifiers, subpath
	name, err := lint.CanonicalPurl(base.Package() + "@" + version + rest)
	if err != nil {
		return named{}, err
	}
	p, err := purl.Parse(name)
	if err != nil || p.Package() != base.Package() || !p.HasVersion() || name != p.Component()+rest {
		return named{}, fmt.Errorf("%.80q is no version", version)
	}
	one := *d.draft
	one.Subjects = []draftSubject{{Purl: name, Digest: digest}}
	return named{&one, d.file, d.name + "-" + strings.TrimPrefix(p.Component(), p.Package()+"@")}, nil
}

// issueAll issues many attestations. Nothing is signed before all of them are
// in order and shown, nothing is sent before all of them are saved.
func (a *app) issueAll(ctx context.Context, drafts []named, log string, s signerFlags, f publishFlags) error {
	if f.out != "" {
		return usage("--out is for one attestation").hinted("each is saved beside its draft")
	}
	policy, err := a.policy()
	if err != nil {
		return err
	}
	signer, err := s.signer(ctx)
	if err != nil {
		return err
	}
	all, faulty := a.proposeAll(policy, drafts, log, signer)
	if len(faulty) > 0 {
		a.note("Nothing was signed.")
		return a.settle(faulty)
	}
	a.showAll(all, drafts)
	if err := a.confirm(fmt.Sprintf("Sign these %d?", len(all)), f.yes); err != nil {
		return err
	}
	items, err := signAll(all)
	if err != nil {
		return err
	}
	if f.noSubmit {
		return a.sayWritten(items)
	}
	for _, item := range items {
		item.before()
	}
	a.submitAll(ctx, policy, items)
	return a.settle(items)
}

// proposeAll makes and checks every statement; faulty are those that no log
// would take.
func (a *app) proposeAll(policy *trust.Policy, drafts []named, log string, signer entry.Signer) (all []proposal, faulty []*submitItem) {
	for _, d := range drafts {
		p, err := d.propose(policy, log, signer)
		if err == nil {
			p.payload = entry.Payload(p.predicate, p.subjects...)
			_, err = checked(p.payload, signer, a.now())
		}
		if err != nil {
			faulty = append(faulty, &submitItem{File: d.name, err: err})
		}
		all = append(all, p)
	}
	return all, faulty
}

// showAll shows what becomes public: every draft in full, and of versions of
// one draft the first, since the others differ from it in the subject only.
func (a *app) showAll(all []proposal, drafts []named) {
	for i, p := range all {
		e, err := unsigned(p.payload, p.signer.Public())
		switch {
		case err != nil: // it was checked
		case i > 0 && drafts[i].file == drafts[0].file:
			a.tell("The same about %s, %s:%s: %s", e.Subjects[0].Name, e.Subjects[0].Algorithm, e.Subjects[0].Digest, e.IDString())
		default:
			a.show(e, p)
		}
	}
}

// signAll signs and saves. If we stop half-way, what is saved is taken up by
// the next run.
func signAll(all []proposal) (items []*submitItem, err error) {
	for i, p := range all {
		item := &submitItem{File: p.name + entrySuffix, Log: p.log.Origin, log: p.log}
		if item.entry, err = signed(item.File, p.payload, p.signer); err != nil {
			return nil, fmt.Errorf("%d of %d are signed: %w", i, len(all), err)
		}
		item.ID = item.entry.IDString()
		items = append(items, item)
	}
	return items, nil
}

func (a *app) sayWritten(items []*submitItem) error {
	for _, item := range items {
		a.say("wrote %s: %s", item.File, item.ID)
	}
	a.result(map[string]any{"items": items, "exit": exitStands})
	return nil
}

// before settles what an earlier run has logged: its bundle is beside it.
func (i *submitItem) before() {
	path := withoutSuffix(i.File, entrySuffix) + bundleSuffix
	info, err := os.Stat(path)
	if err != nil || info.Size() > bundle.MaxSize {
		return
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return
	}
	b, err := bundle.Parse(data)
	if err != nil {
		return
	}
	for _, att := range b.Attestations {
		if e, err := entry.Parse(att.Entry); err == nil && e.ID == i.entry.ID {
			i.Logged, i.Before, i.Bundle, i.settled = true, true, path, true
		}
	}
}
