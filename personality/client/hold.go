package client

import (
	"context"
	"net/http"
)

// Held is what an auditor says of an entry that a log owes.
type Held struct {
	Log string `json:"log"`
	ID  string `json:"id"` // printed: "att:<hex>" and so on
	// State is "logged" if the entry has effect in what the auditor holds, at
	// Index; else "held".
	State string `json:"state"`
	Index uint64 `json:"index,string,omitempty"`
	// Deadline is the largest tree that the auditor cosigns without the entry.
	Deadline uint64 `json:"deadline,string,omitempty"`
}

// Hold brings an auditor, whose address New was given, what a log owes: a
// withdrawal that the log refuses or leaves out, as a signed entry, or the log's
// promise of any entry (package promise). The other one is nil. The auditor does
// not cosign the log past a deadline without it. A refusal is a *RefusedError.
func (c *Client) Hold(ctx context.Context, log string, envelope, promise []byte) (*Held, error) {
	in := struct {
		Log      string `json:"log"`
		Envelope []byte `json:"envelope,omitempty"`
		Promise  []byte `json:"promise,omitempty"`
	}{log, envelope, promise}
	var out Held
	if err := c.call(ctx, http.MethodPost, "entries", in, &out); err != nil {
		return nil, err
	}
	return &out, nil
}
