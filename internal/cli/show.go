package cli

import (
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
)

func (a *app) showCommand() *cobra.Command {
	return command("show FILE", `
Explains what is written in a bundle or in a signed entry. It verifies nothing and
decides nothing, and never uses the network: "standing verify" judges.`,
		cobra.ExactArgs(1), func(_ *cobra.Command, args []string) error { return a.showFile(args[0]) })
}

// shown is an entry in JSON output: the statement as signed, and what is
// around it.
type shown struct {
	ID        string          `json:"id"`
	KeyID     string          `json:"keyid"`
	Statement json.RawMessage `json:"statement"`
}

func (a *app) showFile(file string) error {
	data, err := a.readFile(file, bundle.MaxSize)
	if err != nil {
		return err
	}
	b, bundleErr := bundle.Parse(data)
	if bundleErr == nil {
		return a.showBundle(b)
	}
	e, err := parseEntry(data)
	if err != nil {
		if strings.Contains(string(data[:min(len(data), 4096)]), bundle.MediaType) {
			return usage("%s: %w", file, bundleErr).hinted("get the bundle again from its source")
		}
		return usage("%s is neither a bundle nor a signed entry: %w", file, err).hinted("name a file that ends in " + bundleSuffix + " or " + entrySuffix)
	}
	a.say("A signed entry; its signature was not checked.")
	a.sayEntry(e)
	a.result(showEntry(e))
	return nil
}

func (a *app) sayEntry(e *entry.Entry) {
	for _, line := range describe(e, false) {
		a.say("%s", line)
	}
}

func showEntry(e *entry.Entry) shown {
	key := entry.KeySubject(e.KeyID)
	return shown{e.IDString(), key.Digest, json.RawMessage(e.Payload)}
}

func (a *app) showBundle(b *bundle.Bundle) error {
	a.say("A bundle of %s, about %s; nothing in it was verified.", check.Count(len(b.Attestations), "attestation"), check.Count(len(b.Subjects), "subject"))
	var out struct {
		Checkpoint string   `json:"checkpoint"`
		Signatures []string `json:"signatures"` // key names, not verified
		Seal       string   `json:"seal"`
		Entries    []shown  `json:"entries"`
		Subjects   []string `json:"subjects,omitempty"`
	}
	out.Checkpoint, out.Seal = b.Checkpoint, b.Seal.Leaf
	body, lines, _ := strings.Cut(b.Checkpoint, "\n\n")
	a.say("The log's checkpoint: %s", strings.ReplaceAll(body, "\n", ", "))
	for line := range strings.Lines(lines) {
		if f := strings.Fields(line); len(f) == 3 {
			out.Signatures = append(out.Signatures, f[1])
		}
	}
	a.say("Signature lines under it: %s", strings.Join(out.Signatures, ", "))
	var leaves []bundle.Leaf
	for _, item := range b.Attestations {
		leaves = append(leaves, item.Entry)
	}
	for _, c := range b.Causes {
		leaves = append(leaves, c.Entry)
	}
	n := 0
	show := func(e *entry.Entry, err error) {
		if n++; err != nil {
			a.say("%d. cannot be read: %v", n, err)
			return
		}
		a.say("%d.", n)
		a.sayEntry(e)
		out.Entries = append(out.Entries, showEntry(e))
	}
	for _, leaf := range leaves {
		show(entry.Parse(leaf))
	}
	for _, o := range b.Opened {
		show(entry.Open(o.Payload, entry.Hash(o.KeyID)))
	}
	for _, s := range b.Subjects {
		a.say("It shows what the log has about %s.", s.Name)
		out.Subjects = append(out.Subjects, s.Name)
	}
	a.result(out)
	return nil
}
