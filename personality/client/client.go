// Package client talks to a log: it submits entries, fetches bundles and
// answers, and reads tiles. It is the only package under personality that uses
// the network.
//
// It speaks REST with proto JSON, as proto/standing/v1 describes it, and needs
// neither gRPC nor protobuf: a uint64 is a decimal string, bytes are base64.
// Tiles and checkpoints are C2SP tlog-tiles (https://c2sp.org/tlog-tiles) under
// the same address.
//
//   - [Client.Submit] and [Client.SubmitBatch] take signed entries. Both are
//     safe to repeat, and do so by themselves while the log is busy.
//   - [Client.Bundle] fetches evidence, for package verify.
//   - [Client.Status], [Client.Entries] and [Client.Info] are what the log says:
//     no evidence.
//   - [Client.Checkpoint], [Client.AllEntries] and [Client.Tile] are for those
//     who read the whole log and verify; [Client.Withdrawals] is for those who follow what
//     is withdrawn.
//
// # Errors
//
// A refusal is a *[RefusedError] around a *reason.Error with the log's code. If
// no answer came, the error is [ErrUnreachable]: then nothing is known to be
// lost, and the same call may be made again. [Temporary] says which errors a
// later repetition may cure.
//
// # Invariants
//
//   - At most MaxResponse bytes of an answer are read.
//   - A call ends with its context.
//   - Nothing returned here is verified, except the entries of AllEntries
//     against the tree given, Withdrawals against the seal given, and promises,
//     which are verified or not returned.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/trust"
)

// MaxResponse is the greatest length in bytes of an answer, after
// decompression. An entry bundle has at most 256 × 65,537 bytes.
const MaxResponse = 24 << 20

// Config is how a client behaves. The zero value of a member is its default.
type Config struct {
	// HTTP makes the requests. Default: a client of its own with
	// http.DefaultTransport.
	HTTP *http.Client
	// Timeout bounds one attempt. Default: 30 s.
	Timeout time.Duration
	// Attempts is how often a request is made in all while it fails for reasons
	// that may pass. Default: 5.
	Attempts int
	// Backoff is the pause before the second attempt; it doubles from attempt
	// to attempt, up to 32 times, and is shortened at random by up to a half.
	// A log that asks for a pause (Retry-After) gets it, up to 30 s.
	// Default: 250 ms.
	Backoff time.Duration
	// UserAgent is sent along. Default: "standing".
	UserAgent string
	// Log is the log as the trust file lists it: by its keys promises are
	// verified. Without keys there are no promises.
	Log trust.Log
}

// Client talks to one log. It is safe for concurrent use.
type Client struct {
	base string // ends in a slash
	cfg  Config
}

// New returns a client of the log at address, which is the URL that its
// checkpoint lies under: https://host/path.
func New(address string, cfg Config) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("log address %.200q: not http(s)://host/path", address)
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = 5
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = 250 * time.Millisecond
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "standing"
	}
	return &Client{strings.TrimSuffix(address, "/") + "/", cfg}, nil
}

// ErrUnreachable means that no answer came from the log.
var ErrUnreachable = errors.New("log unreachable")

// errNotFound is wrapped where the log, or what stands in front of it, has
// nothing under a path.
var errNotFound = errors.New("not found")

// RefusedError is a refusal by the log. It unwraps to the *reason.Error.
type RefusedError struct {
	Reason *reason.Error
	// NextStep is the log's advice; it knows codes that are newer than this
	// program.
	NextStep string
	// Status is the HTTP status, 0 for one item of several.
	Status int
}

func (e *RefusedError) Error() string { return e.Reason.Error() }
func (e *RefusedError) Unwrap() error { return e.Reason }

// Temporary reports whether the same call may succeed later.
func Temporary(err error) bool {
	if e, ok := errors.AsType[*RefusedError](err); ok {
		return e.Status == http.StatusServiceUnavailable || reason.Lookup(e.Reason.Code).HTTP == http.StatusServiceUnavailable
	}
	return errors.Is(err, ErrUnreachable)
}

// call makes a request with a JSON body, none if in is nil, and decodes the
// answer into out.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encoding request: %w", err)
		}
	}
	answer, err := c.repeat(ctx, method, path, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("answer of %s%s: %w", c.base, path, err)
	}
	return nil
}

// repeat makes a request until it has an answer that will not change, or the
// attempts are used up. Every request of this interface is safe to repeat.
func (c *Client) repeat(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		answer, pause, err := c.once(ctx, method, path, body)
		if err == nil || !Temporary(err) || attempt >= c.cfg.Attempts {
			return answer, err
		}
		if !c.sleep(ctx, attempt, pause) {
			return nil, err
		}
	}
}

// sleep waits before the next attempt, and reports whether there is time for
// one.
func (c *Client) sleep(ctx context.Context, attempt int, asked time.Duration) bool {
	pause := c.cfg.Backoff << min(attempt-1, 5)
	pause -= rand.N(pause/2 + 1)
	pause = max(pause, min(asked, 30*time.Second))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < pause {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// once makes one attempt. pause is what the log asked for, if it did.
func (c *Client) once(ctx context.Context, method, path string, body []byte) (answer []byte, pause time.Duration, err error) {
	attempt, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(attempt, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, fmt.Errorf("request to %s: %w", c.base, err)
	}
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return nil, 0, c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	answer, err = read(resp)
	if err != nil {
		return nil, 0, c.unreachable(ctx, err)
	}
	if len(answer) > MaxResponse {
		return nil, 0, fmt.Errorf("answer of %s%s exceeds %d bytes", c.base, path, MaxResponse)
	}
	if resp.StatusCode != http.StatusOK {
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return nil, time.Duration(max(0, min(seconds, 3600))) * time.Second, c.failure(path, resp.StatusCode, answer)
	}
	return answer, 0, nil
}

// read reads an answer, up to MaxResponse and one byte.
func read(resp *http.Response) ([]byte, error) {
	var b bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= MaxResponse {
		b.Grow(int(n) + bytes.MinRead) // or it would grow once more to find the end
	}
	_, err := b.ReadFrom(io.LimitReader(resp.Body, MaxResponse+1))
	return b.Bytes(), err
}

// unreachable tells the end of the caller's patience from a dead log.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %s: %w", ErrUnreachable, c.base, err)
}

// status is google.rpc.Status in proto JSON.
type status struct {
	Message string `json:"message"`
	Details []struct {
		Type string `json:"@type"`
		refusal
	} `json:"details"`
}

// refusal is standing.v1.Refusal.
type refusal struct {
	Code     reason.Code `json:"code"`
	Message  string      `json:"message"`
	NextStep string      `json:"nextStep"`
}

func (r *refusal) err(httpStatus int) *RefusedError {
	if r == nil {
		return nil
	}
	return &RefusedError{&reason.Error{Code: r.Code, Detail: clip(r.Message)}, clip(r.NextStep), httpStatus}
}

// clip bounds and cleans text from the network that people will read.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	return s[:min(len(s), 1000)]
}

// failure reads the refusal in an answer, if it is the log that answered.
func (c *Client) failure(path string, code int, answer []byte) error {
	var s status
	if json.Unmarshal(answer, &s) == nil {
		for _, d := range s.Details {
			if strings.HasSuffix(d.Type, "/standing.v1.Refusal") && d.Code != "" {
				return d.err(code)
			}
		}
	}
	err := fmt.Errorf("%s%s answered HTTP %d", c.base, path, code)
	// A proxy in front of the log: these pass.
	switch code {
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", errNotFound, err)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return err
}
