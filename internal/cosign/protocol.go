package cosign

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/standing-log/standing/personality/trust"
)

// formatRequest makes the body of add-checkpoint.
//
// SPEC: "an old size line, zero or more consistency proof lines, and an empty
// line, followed by a checkpoint."
func formatRequest(old uint64, proof []Hash, checkpoint []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", old)
	for _, h := range proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteByte('\n')
	b.Write(checkpoint)
	return b.Bytes()
}

// reply is what a cosigner answered, cut at maxReply.
type reply struct {
	code        int
	contentType string
	body        []byte
}

func (c *Client) post(ctx context.Context, body []byte) (*reply, error) {
	// SPEC: "The request MUST be an HTTP POST."
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errOurs, err)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking cosigner: %w", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return nil, fmt.Errorf("reading reply: %w", err)
	}
	if len(data) > maxReply {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrReply, maxReply)
	}
	return &reply{resp.StatusCode, resp.Header.Get("Content-Type"), data}, nil
}

// conflict returns the size that a 409 names; every other reply is an error.
func (r *reply) conflict() (uint64, error) {
	switch r.code {
	case http.StatusConflict:
	case http.StatusUnprocessableEntity:
		return 0, ErrInconsistent
	default:
		return 0, &StatusError{Code: r.code, Body: fmt.Sprintf("%.*q", maxSnippet, r.body)}
	}
	// SPEC: of an old size that does not match, "The response MUST have a
	// Content-Type of text/x.tlog.size." A 409 without it is the other kind:
	// roots that differ at the same size.
	if t, _, err := mime.ParseMediaType(r.contentType); err != nil || t != "text/x.tlog.size" {
		return 0, ErrConflict
	}
	// SPEC: "the tree size of the latest cosigned checkpoint in decimal,
	// followed by a newline".
	s, ok := strings.CutSuffix(string(r.body), "\n")
	size, err := strconv.ParseUint(s, 10, 64)
	if !ok || err != nil || strconv.FormatUint(size, 10) != s {
		return 0, fmt.Errorf("%w: size %.*q", ErrReply, maxSnippet, r.body)
	}
	return size, nil
}

// verify returns the newest acceptable cosignature of each key.
func (c *Client) verify(body trust.Body, lines []byte) ([]trust.Cosignature, error) {
	// SPEC: "a sequence of one or more note signature lines, each [...] ending
	// with a newline character".
	s, ok := strings.CutSuffix(string(lines), "\n")
	if !ok {
		return nil, fmt.Errorf("%w: last line not ended", ErrReply)
	}
	latest := c.now().Add(trust.MaxSkew).Unix()
	var sigs []trust.Cosignature
	var why error
	for _, o := range c.cosigners {
		best := trust.Cosignature{}
		for i, line := range strings.SplitN(s, "\n", maxReplyLines+1) {
			if i == maxReplyLines {
				break
			}
			// SPEC: "The client MUST ignore any cosignatures from unknown keys."
			sig, err := o.ParseCosignature(body, line)
			switch {
			case err != nil:
			// It would never count, and would stand in the way of those that do.
			case sig.Unix == 0 || sig.Unix > latest:
				why = fmt.Errorf("%w: %q dates it %d", ErrNoCosignature, o.Name, sig.Unix)
			case sig.Unix > best.Unix:
				best = sig
			}
		}
		if best.Unix != 0 {
			sigs = append(sigs, best)
		}
	}
	if len(sigs) == 0 {
		if why == nil {
			why = ErrNoCosignature
		}
		return nil, why
	}
	return sigs, nil
}
