package cli

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/trust"
)

// maxDocument bounds a document that is logged by its digest, in bytes.
const maxDocument = 256 << 20

// documentFlags say how a document that is no entry is attested.
type documentFlags struct{ purl, digest, relation, until string }

func (a *app) submitCommand() *cobra.Command {
	var log, to string
	var d documentFlags
	var s signerFlags
	var f publishFlags
	cmd := command("submit FILE…", `
Sends signed entries (FILE.dsse.json). It may be repeated: what was accepted
before is answered with the first result. The log's promise is saved as FILE.promise,
which is evidence if it is not kept; of each attestation the bundle is saved as
FILE.standing.json when there is one.

With --purl, FILE is any other document (an in-toto statement, a test report, a
VEX file): its digest is attested and logged, the document stays with you.

With --to, FILE is a withdrawal that its log refuses or leaves out, or a promise
of the log (FILE.promise), for an auditor: that holds it, and does not cosign the
log for long without it.

  --log ORIGIN|URL  the log (default: the one that the entry names)
  --to URL          an auditor of the log, which ends in /auditor
  --purl PURL       the component that the document is about
  --digest D        the artifact's digest, as sha256:<hex> (default: what an in-toto
                    statement of one subject says)
  --relation R      first-party (default), steward, second-party, third-party, public-body
  --until DATE      end of validity (default: in a year)
`+signerHelp+publishHelp, cobra.MinimumNArgs(1), func(cmd *cobra.Command, args []string) error {
		if to != "" {
			return a.bring(cmd.Context(), to, log, args)
		}
		if d.purl != "" {
			if len(args) != 1 {
				return usage("--purl goes with one document")
			}
			return a.submitDocument(cmd.Context(), args[0], log, d, s, f)
		}
		return a.submit(cmd.Context(), log, args)
	})
	s.add(cmd)
	f.add(cmd)
	fl := cmd.Flags()
	fl.StringVar(&log, "log", "", "")
	fl.StringVar(&to, "to", "", "")
	fl.StringVar(&d.purl, "purl", "", "")
	fl.StringVar(&d.digest, "digest", "", "")
	fl.StringVar(&d.relation, "relation", "first-party", "")
	fl.StringVar(&d.until, "until", "", "")
	cmd.MarkFlagsMutuallyExclusive("to", "purl")
	return cmd
}

// submitItem is one file to be sent.
type submitItem struct {
	File    string      `json:"file"`
	ID      string      `json:"id,omitempty"`
	Log     string      `json:"log,omitempty"`
	Index   uint64      `json:"index,omitempty"`
	Size    uint64      `json:"size,omitempty"`
	Logged  bool        `json:"logged"`
	Before  bool        `json:"before,omitempty"` // by an earlier run, as Bundle shows
	Promise string      `json:"promise,omitempty"`
	Bundle  string      `json:"bundle,omitempty"`
	Error   string      `json:"error,omitempty"`
	Code    reason.Code `json:"code,omitempty"`
	Hint    string      `json:"hint,omitempty"`
	entry   *entry.Entry
	log     target
	err     error
	settled bool
}

func (i *submitItem) fail(err error) { i.err, i.settled = err, true }

func (a *app) submit(ctx context.Context, log string, files []string) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	items := make([]*submitItem, len(files))
	for i, file := range files {
		items[i] = &submitItem{File: file}
		if err := a.loadItem(items[i], policy, log); err != nil {
			items[i].fail(err)
		}
	}
	a.submitAll(ctx, policy, items)
	return a.settle(items)
}

// submitAll sends what is not settled yet, log by log.
func (a *app) submitAll(ctx context.Context, policy *trust.Policy, items []*submitItem) {
	for _, l := range policy.Logs() {
		var part []*submitItem
		for _, item := range items {
			if !item.settled && item.log.Origin == l.Origin {
				part = append(part, item)
			}
		}
		if len(part) > 0 {
			a.submitTo(ctx, part[0].log, part)
		}
	}
}

func (a *app) loadItem(item *submitItem, policy *trust.Policy, log string) error {
	data, err := a.readFile(item.File, 2*entry.MaxSize)
	if err != nil {
		return err
	}
	if item.entry, err = parseEntry(data); err != nil {
		return err
	}
	if log == "" {
		log = namedLog(item.entry, policy)
	}
	if item.log, err = pickLog(policy, log); err != nil {
		return err
	}
	item.ID, item.Log = item.entry.IDString(), item.log.Origin
	return nil
}

// namedLog returns the log that an entry is made for, the first trusted one if
// there are several.
func namedLog(e *entry.Entry, policy *trust.Policy) string {
	switch {
	case e.Attestation != nil:
		for _, origin := range e.Attestation.Logs {
			if _, ok := policy.Log(origin); ok {
				return origin
			}
		}
		return e.Attestation.Logs[0]
	case e.Revocation != nil:
		return e.Revocation.Log
	case e.Key != nil:
		return e.Key.Log
	case e.Party != nil:
		return e.Party.Log
	}
	return e.Charter.Log
}

// submitTo sends the items of one log: one by itself, many in batches.
func (a *app) submitTo(ctx context.Context, l target, items []*submitItem) {
	c, err := l.dial(client.Config{})
	if err != nil {
		for _, item := range items {
			item.fail(err)
		}
		return
	}
	const stride = 256 // between two signs of life
	for done := 0; done < len(items); done += stride {
		part := items[done:min(done+stride, len(items))]
		var envelopes [][]byte
		for _, item := range part {
			envelopes = append(envelopes, item.entry.Leaf)
		}
		results, err := c.SubmitBatch(ctx, envelopes, false)
		if client.Temporary(err) {
			// What does not answer now will not answer for the rest either.
			part = items[done:]
		}
		for i, item := range part {
			switch {
			case i >= len(results):
				item.fail(err)
			case results[i].Refused != nil:
				item.fail(results[i].Refused)
			default:
				item.Logged, item.Index, item.Size, item.settled = true, results[i].Index, results[i].SealedSize, true
				item.Promise = a.writePromise(item.File, results[i].Promise)
			}
		}
		if len(items) > stride {
			a.progress("%d of %d", done+len(part), len(items))
		}
		if client.Temporary(err) {
			break
		}
	}
	if len(items) > stride {
		a.progress("")
	}
	a.bundles(ctx, l, items)
}

// bundles fetches the bundles of the attestations that were logged. The first is
// waited for; by then there mostly is a checkpoint that covers the others, too.
func (a *app) bundles(ctx context.Context, l target, items []*submitItem) {
	c, err := l.dial(client.Config{Attempts: 1})
	if err != nil {
		return // it was dialled before
	}
	waited := false
	for n, item := range items {
		if !item.Logged || item.entry.Kind != entry.KindAttestation {
			continue
		}
		out := published{File: item.File}
		if err := a.bundle(ctx, c, l, item, waited, &out); err != nil {
			a.note("standing: %s: %v", item.File, err)
		}
		item.Bundle, waited = out.Bundle, true
		if out.Bundle == "" {
			return // no checkpoint covers them yet: the rest would wait as long
		}
		if len(items) > 16 {
			a.progress("bundle %d of %d", n+1, len(items))
		}
	}
}

// bundle fetches one bundle: at once if there is one, else by waiting.
func (a *app) bundle(ctx context.Context, c *client.Client, l target, item *submitItem, atOnce bool, out *published) error {
	if atOnce {
		if data, err := c.Bundle(ctx, item.ID); err == nil && json.Valid(data) {
			return a.writeBundle(data, out)
		}
	}
	return a.fetchBundle(ctx, l, item.entry, out)
}

// settle prints what became of each item, in one line, and then each next step
// once. The exit code is the gravest one.
func (a *app) settle(items []*submitItem) error {
	code := exitStands
	var hints []string
	for _, item := range items {
		switch {
		case item.err != nil:
			f := classify(item.err)
			item.Error, item.Code, item.Hint = item.err.Error(), reason.CodeOf(item.err), f.hint
			a.note("standing: %s: %v", item.File, item.err)
			if !slices.Contains(hints, f.hint) {
				hints = append(hints, f.hint)
			}
			code = worse(code, f.code)
		case item.Before:
			a.say("%s: logged %s before, as %s shows", item.File, item.ID, item.Bundle)
		default:
			line := fmt.Sprintf("%s: logged %s at index %d of %s", item.File, item.ID, item.Index, item.Log)
			if item.Bundle != "" {
				line += "; wrote " + item.Bundle
			}
			a.say("%s", line)
		}
	}
	for _, hint := range hints {
		a.note("hint: %s", hint)
	}
	a.result(map[string]any{"items": items, "exit": code})
	return quiet(code)
}

// worse orders exit codes of submissions: what will not cure itself comes
// before what a repetition cures.
func worse(a, b int) int {
	if a == exitStands || a == exitUnreachable {
		if b == exitStands {
			return a
		}
		return b
	}
	if b == exitStands || b == exitUnreachable {
		return a
	}
	return max(a, b)
}

// submitDocument attests a document by its digest.
func (a *app) submitDocument(ctx context.Context, file, log string, d documentFlags, s signerFlags, f publishFlags) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	l, err := pickLog(policy, log)
	if err != nil {
		return err
	}
	data, err := a.readFile(file, maxDocument)
	if err != nil {
		return err
	}
	now := a.now().UTC().Truncate(24 * time.Hour)
	att := &entry.Attestation{Logs: []string{l.Origin}, Relation: d.relation, Polarity: "positive", LegalBasis: "none",
		ValidFrom: uint64(now.Unix()), ValidUntil: uint64(now.AddDate(1, 0, 0).Unix())}
	if d.until != "" {
		if att.ValidUntil, err = parseDate(d.until); err != nil {
			return usage("--until: %v", err)
		}
	}
	subject, err := d.describe(att, file, data)
	if err != nil {
		return err
	}
	signer, err := s.signer(ctx)
	if err != nil {
		return err
	}
	err = a.publish(ctx, proposal{
		predicate: att, subjects: []entry.Subject{subject}, log: l, signer: signer,
		name: file, question: "Sign this?",
	}, f)
	if err == nil {
		a.note("Keep %s: the log holds its digest only.", file)
	}
	return err
}

// inToto is what is read of an in-toto statement.
type inToto struct {
	Type          string `json:"_type"`
	PredicateType string `json:"predicateType"`
	Subject       []struct {
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
}

// describe fills in the document's digest, type and subject.
func (d *documentFlags) describe(att *entry.Attestation, file string, data []byte) (entry.Subject, error) {
	name, err := lint.CanonicalPurl(d.purl)
	if err != nil {
		return entry.Subject{}, err
	}
	att.Statement = &entry.Statement{SHA256: sha256.Sum256(data), Size: uint64(len(data)), MediaType: mediaType(file, data)}
	var statement inToto
	if json.Unmarshal(data, &statement) == nil && strings.HasPrefix(statement.Type, "https://in-toto.io/Statement/") {
		att.Statement.PredicateType, att.Statement.MediaType = statement.PredicateType, "application/vnd.in-toto+json"
	} else {
		statement = inToto{}
	}
	if p, err := purl.Parse(name); err == nil && !p.HasVersion() {
		att.Scopes = []entry.Scope{{Purl: name}}
		return att.Scopes[0].Subject(), nil
	}
	digest := d.digest
	if digest == "" && len(statement.Subject) == 1 {
		if sha := statement.Subject[0].Digest["sha256"]; sha != "" {
			digest = "sha256:" + sha
		}
	}
	algorithm, hex, ok := strings.Cut(digest, ":")
	if !ok {
		return entry.Subject{}, usage("which artifact of %s is it about?", name).hinted("give its digest with --digest sha256:<hex>")
	}
	return entry.Subject{Name: name, Algorithm: algorithm, Digest: hex}, nil
}

// mediaType guesses, by name first: it is a hint for readers.
func mediaType(file string, data []byte) string {
	t := mime.TypeByExtension(filepath.Ext(file))
	if t == "" {
		t = http.DetectContentType(data)
	}
	base, _, err := mime.ParseMediaType(t)
	if err != nil {
		return "application/octet-stream"
	}
	return base
}
