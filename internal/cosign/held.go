package cosign

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/standing-log/standing/personality/trust"
)

// Holding is what a cosigner says it holds of a log.
type Holding struct {
	// Checkpoint is the newest it has cosigned, unverified. It is nil where there
	// is nothing at that address: either it has cosigned none, or it does not
	// say; [Client.HeldSize] tells.
	Checkpoint []byte
	// Clock is what its clock showed when it answered, to the second; zero if it
	// does not say.
	Clock time.Time
}

// Held returns the newest checkpoint that Holds does.
func (c *Client) Held(ctx context.Context, origin string) ([]byte, error) {
	h, err := c.Holds(ctx, origin)
	if err != nil {
		return nil, err
	}
	return h.Checkpoint, nil
}

// Holds asks the monitoring endpoint of C2SP tlog-witness, under the submission
// prefix.
func (c *Client) Holds(ctx context.Context, origin string) (*Holding, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	// SPEC: "GET <monitoring prefix>/<log ID>/checkpoint", where the log ID is
	// the hex SHA-256 of the origin.
	address := strings.TrimSuffix(c.endpoint, "add-checkpoint") + fmt.Sprintf("%x/checkpoint", sha256.Sum256([]byte(origin)))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking cosigner: %w", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, trust.MaxCheckpoint+1))
	if err != nil {
		return nil, fmt.Errorf("reading reply: %w", err)
	}
	h := &Holding{}
	h.Clock, _ = http.ParseTime(resp.Header.Get("Date")) // zero if there is none
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return h, nil
	case resp.StatusCode != http.StatusOK:
		return nil, &StatusError{Code: resp.StatusCode, Body: fmt.Sprintf("%.*q", maxSnippet, data)}
	case len(data) > trust.MaxCheckpoint:
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrReply, trust.MaxCheckpoint)
	}
	h.Checkpoint = data
	return h, nil
}

// HeldSize returns the size of the newest checkpoint that the cosigner has
// cosigned, 0 if there is none. It asks to have checkpoint cosigned as following
// upon itself, which changes nothing: a cosigner that holds another size has to
// name it, and one that holds this size does so again. It fails with ErrConflict
// if that has another root.
func (c *Client) HeldSize(ctx context.Context, checkpoint []byte) (uint64, error) {
	text, _, _ := strings.Cut(string(checkpoint), "\n\n")
	body, err := trust.ParseBody(text + "\n")
	if err != nil {
		return 0, fmt.Errorf("checkpoint to ask with: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r, err := c.post(ctx, formatRequest(body.Size, nil, checkpoint))
	if err != nil {
		return 0, err
	}
	if r.code == http.StatusOK {
		_, err := c.verify(body, r.body)
		return body.Size, err
	}
	return r.conflict()
}
