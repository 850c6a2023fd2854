package cli

import (
	"context"

	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/trust"
)

// heldItem is one file that was brought to an auditor.
type heldItem struct {
	File string `json:"file"`
	*client.Held
	Error string      `json:"error,omitempty"`
	Code  reason.Code `json:"code,omitempty"`
}

// bring brings an auditor withdrawals that their log refuses or leaves out, and
// promises. The exit code is the gravest one.
func (a *app) bring(ctx context.Context, auditor, log string, files []string) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	c, err := client.New(auditor, client.Config{})
	if err != nil {
		return usage("--to: %w", err).hinted("the URL of an auditor ends in /auditor")
	}
	code := exitStands
	var items []heldItem
	for _, file := range files {
		item := heldItem{File: file}
		item.Held, err = a.bringOne(ctx, c, policy, log, file)
		switch {
		case err != nil:
			f := classify(err)
			item.Error, item.Code, code = err.Error(), reason.CodeOf(err), worse(code, f.code)
			a.note("standing: %s: %v", file, err)
			a.note("hint: %s", f.hint)
		case item.State == "logged":
			a.say("%s: %s is in %s, at index %d", file, item.ID, item.Log, item.Index)
		default:
			a.say("%s: the auditor holds %s, and cosigns %s up to size %d without it", file, item.ID, item.Log, item.Deadline)
		}
		items = append(items, item)
	}
	a.result(map[string]any{"items": items, "exit": code})
	return quiet(code)
}

func (a *app) bringOne(ctx context.Context, c *client.Client, policy *trust.Policy, log, file string) (*client.Held, error) {
	data, err := a.readFile(file, 2*entry.MaxSize)
	if err != nil {
		return nil, err
	}
	if promise.Is(data) {
		p, err := promise.Open(policy, data)
		if err != nil {
			return nil, err
		}
		return c.Hold(ctx, p.Origin, nil, data)
	}
	e, err := parseEntry(data)
	if err != nil {
		return nil, err
	}
	if log == "" {
		log = namedLog(e, policy)
	}
	l, err := pickLog(policy, log)
	if err != nil {
		return nil, err
	}
	return c.Hold(ctx, l.Origin, e.Leaf, nil)
}
