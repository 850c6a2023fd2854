package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
)

// What the names of signed entries, of bundles and of promises end in.
const (
	entrySuffix   = ".dsse.json"
	bundleSuffix  = ".standing.json"
	promiseSuffix = ".promise"
)

// publishFlags say what happens to an entry that is to be signed.
type publishFlags struct {
	out      string
	yes      bool
	noSubmit bool
}

const publishHelp = `
  --out FILE        where the signed entry is saved, before anything is sent; the
                    log's promise goes beside it, as *.promise
  --yes             do not ask
  --no-submit       sign and save only; "standing submit" sends it later`

func (p *publishFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.out, "out", "", "")
	cmd.Flags().BoolVarP(&p.yes, "yes", "y", false, "")
	cmd.Flags().BoolVar(&p.noSubmit, "no-submit", false, "")
}

// proposal is a statement that is about to be signed.
type proposal struct {
	predicate entry.Predicate
	subjects  []entry.Subject
	payload   []byte // instead of the two
	log       target
	signer    entry.Signer
	name      string // of the file, without suffix
	question  string
	request   bool // to be signed again by another: the id is not final
}

// published is the output of every command that publishes.
type published struct {
	File  string `json:"file"` // the signed entry
	ID    string `json:"id,omitempty"`
	Log   string `json:"log"`
	Index uint64 `json:"index,omitempty"`
	Size  uint64 `json:"size,omitempty"` // of the tree that proves it
	// Promise is the file with what the log has promised.
	Promise string `json:"promise,omitempty"`
	Bundle  string `json:"bundle,omitempty"`
	Logged  bool   `json:"logged"`
}

// publish checks, shows, asks, signs, saves and submits, in this order.
func (a *app) publish(ctx context.Context, p proposal, f publishFlags) error {
	payload := p.payload
	if payload == nil {
		payload = entry.Payload(p.predicate, p.subjects...)
	}
	if err := a.preview(payload, p); err != nil {
		return err
	}
	if err := a.confirm(p.question, f.yes); err != nil {
		return err
	}
	f.out = cmp.Or(f.out, p.name+entrySuffix)
	e, err := signed(f.out, payload, p.signer)
	if err != nil {
		return err
	}
	out := published{File: f.out, ID: e.IDString(), Log: p.log.Origin}
	if p.request {
		out.ID = "" // it will be that of the registrar's signature
	}
	a.say("wrote %s", f.out)
	if !f.noSubmit {
		err = a.send(ctx, p.log, e, &out)
	}
	a.result(out)
	return err
}

// preview checks the statement and prints what becomes public. The signer is
// not asked yet.
func (a *app) preview(payload []byte, p proposal) error {
	e, err := checked(payload, p.signer, a.now())
	if err != nil {
		return err
	}
	a.show(e, p)
	return nil
}

// checked returns the entry that signer would make of payload, if the log's
// rules allow it.
func checked(payload []byte, signer entry.Signer, now time.Time) (*entry.Entry, error) {
	e, err := unsigned(payload, signer.Public())
	if err != nil {
		return nil, err
	}
	if err := lint.Check(e); err != nil {
		return nil, err
	}
	return e, lint.CheckTimes(e, now)
}

// show prints the explanation, and the payload byte for byte.
func (a *app) show(e *entry.Entry, p proposal) {
	a.tell("This becomes public in %s, and stays public:", p.log.Origin)
	for _, line := range describe(e, p.request) {
		a.tell("%s", line)
	}
	a.tell("Byte for byte, %d bytes:\n%s", len(e.Payload), e.Payload)
}

// unsigned returns the entry that key's signature would make of payload, for
// display. Package entry parses signed entries only, so a key made for the
// moment signs.
func unsigned(payload []byte, key entry.PublicKey) (*entry.Entry, error) {
	moment, err := keyfile.Generate()
	if err != nil {
		return nil, err
	}
	e, err := entry.Sign(payload, moment)
	if err != nil {
		return nil, err
	}
	e.KeyID = key.ID()
	// SPEC: id = H(0x12 ‖ keyid ‖ H(PAE)).
	digest := sha256.Sum256(entry.PAE(payload))
	e.ID = sha256.Sum256(slices.Concat([]byte{0x12}, e.KeyID[:], digest[:]))
	e.Leaf, e.Signature = nil, nil
	return e, nil
}

// signed signs the payload and saves the entry at path. What was saved there
// before, of the same payload and key, is taken as it is: a run that is
// repeated signs nothing anew, and sends the same bytes.
func signed(path string, payload []byte, signer entry.Signer) (*entry.Entry, error) {
	saved, err := savedEntry(path)
	if err == nil {
		if bytes.Equal(saved.Payload, payload) && saved.Verify(signer.Public()) == nil {
			return saved, nil
		}
		return nil, fmt.Errorf("%s: %w, and is another entry", path, fs.ErrExist)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: %w", path, fs.ErrExist, err)
	}
	e, err := entry.Sign(payload, signer)
	if err != nil {
		return nil, err
	}
	// From here on the entry exists. If we crash or the network fails, the
	// file is all that is needed to go on.
	return e, keyfile.WriteNew(path, append(e.Leaf[:len(e.Leaf):len(e.Leaf)], '\n'), 0o644)
}

// savedEntry reads a signed entry from a file.
func savedEntry(path string) (*entry.Entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 2*entry.MaxSize))
	if err != nil {
		return nil, err
	}
	return parseEntry(data)
}

// parseEntry reads a signed entry from a file, which may end in a newline.
func parseEntry(data []byte) (*entry.Entry, error) {
	leaf, err := entry.Canonicalize(bytes.TrimRight(data, "\r\n"))
	if err != nil {
		return nil, err
	}
	return entry.Parse(leaf)
}

// send submits e and waits a little until it is published, so that the next
// command sees it. Of an attestation the bundle is saved.
func (a *app) send(ctx context.Context, log target, e *entry.Entry, out *published) error {
	c, err := log.dial(client.Config{})
	if err != nil {
		return err
	}
	r, err := c.Submit(ctx, e.Leaf, false)
	if err != nil {
		return unsent(err, out.File)
	}
	out.Logged, out.Index, out.Size = true, r.Index, r.SealedSize
	again := ""
	if r.Duplicate {
		again = ", where it was before"
	}
	a.say("logged %s at index %d of %s%s", r.ID, r.Index, log.Origin, again)
	out.Promise = a.writePromise(out.File, r.Promise)
	err = a.fetchBundle(ctx, log, e, out)
	if out.Bundle != "" {
		a.say("wrote %s", out.Bundle)
	}
	return err
}

func unsent(err error, file string) error {
	if client.Temporary(err) {
		return &failure{code: exitUnreachable, err: err,
			hint: fmt.Sprintf("nothing is lost: run \"standing submit %s\" later; it may be repeated", file)}
	}
	return err
}

// fetchBundle submits once more with wait, which answers as soon as a cosigned
// checkpoint covers the entry, and brings the bundle of an attestation. Without it the entry is logged all the
// same, so that its absence is a note and no failure.
func (a *app) fetchBundle(ctx context.Context, log target, e *entry.Entry, out *published) error {
	patient, err := log.dial(client.Config{Attempts: 1, Timeout: 30 * time.Second})
	if err != nil {
		return err
	}
	r, err := patient.Submit(ctx, e.Leaf, true)
	if err == nil && e.Kind != entry.KindAttestation {
		return nil
	}
	if err != nil || !json.Valid(r.Bundle) {
		a.note("no checkpoint with its quorum covers it yet; run \"standing submit %s\" later", out.File)
		return nil
	}
	return a.writeBundle(r.Bundle, out)
}

// writePromise saves the log's promise beside the entry, in place of an older one,
// and returns the file's name. Without it the entry is logged all the same.
func (a *app) writePromise(file string, promise []byte) string {
	if len(promise) == 0 {
		return ""
	}
	path := withoutSuffix(file, entrySuffix, ".json") + promiseSuffix
	if err := keyfile.WriteFile(path, promise, 0o644); err != nil {
		a.note("standing: the log's promise is not kept: %v", err)
		return ""
	}
	return path
}

// writeBundle saves a bundle beside the entry, in place of an older one.
func (a *app) writeBundle(data []byte, out *published) error {
	path := withoutSuffix(out.File, entrySuffix, ".json") + bundleSuffix
	if err := keyfile.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	out.Bundle = path
	return nil
}
