package cosign

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/standing-log/standing/personality/trust"
)

const (
	maxReply       = 64 << 10 // bytes of one reply; an ML-DSA-44 line takes 3.3 KiB
	maxReplyLines  = 100      // signature lines looked at; what a note may have
	maxRequests    = 3        // per Cosign: a wrong guess, a race, the answer
	maxProof       = 63       // hashes; SPEC: tlog-witness add-checkpoint
	defaultTimeout = 10 * time.Second
	maxSnippet     = 200 // bytes of a reply shown in an error
)

// Hash is a SHA-256 value.
type Hash = [32]byte

// Consistency returns the RFC 6962 consistency proof between the tree of size
// from and the tree of the checkpoint being cosigned, which is at least as
// large. It is not called for 0 nor for the checkpoint's own size, where the
// proof is empty. It is called by several goroutines.
type Consistency func(ctx context.Context, from uint64) ([]Hash, error)

// Errors of Cosign, besides those of the network.
var (
	// ErrConflict means that the cosigner holds another root at this size: one
	// of us is a fork. No retry helps.
	ErrConflict = errors.New("cosigner holds another root at this size")
	// ErrInconsistent means that the cosigner could not verify our proof.
	ErrInconsistent = errors.New("cosigner does not accept the consistency proof")
	// ErrReply means that the reply breaks the protocol.
	ErrReply = errors.New("malformed reply")
	// ErrNoCosignature means that no line of the reply is a cosignature that
	// verifies and is dated acceptably.
	ErrNoCosignature = errors.New("no cosignature in the reply")
	// ErrBackoff means that the cosigner was not asked, because it failed
	// several times in a row and the quorum can do without it.
	ErrBackoff = errors.New("cosigner is left alone after repeated failures")
	// ErrBusy means that the cosigner was not asked, because it has not answered
	// about an earlier checkpoint and the quorum can do without it.
	ErrBusy = errors.New("cosigner has not answered yet about an earlier checkpoint")
	// ErrNotHeld means that a witness was not asked, because auditors that the
	// quorum needs have not cosigned.
	ErrNotHeld = errors.New("not asked before the auditors have cosigned")
)

// AheadError means that the cosigner says it cosigned a larger tree of this
// log. If a quorum says so, this log is a restored backup or a clone: it must
// not sign anything.
type AheadError struct{ Size uint64 }

func (e *AheadError) Error() string {
	return fmt.Sprintf("cosigner holds a larger checkpoint, of size %d", e.Size)
}

// StatusError is an HTTP status that says nothing more specific.
type StatusError struct {
	Code int
	Body string // at most 200 bytes of the reply, printable
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("cosigner answered %d %s", e.Code, e.Body)
}

// Config configures a Client.
type Config struct {
	// URL is the submission prefix, http or https.
	URL string
	// Cosigners are the trust file's entries that answer there, at least one:
	// a witness with several keys signs with all of them at once.
	Cosigners []trust.Cosigner
	// HTTP makes the requests; nil: a client with a small limit on headers.
	// Its redirect policy and cookies are not used.
	HTTP *http.Client
	// Timeout bounds one call of Cosign; 0: 10 s.
	Timeout time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Client asks one submission prefix. It is safe for concurrent use, and makes
// one call at a time.
type Client struct {
	cosigners []trust.Cosigner
	endpoint  string
	http      http.Client
	timeout   time.Duration
	now       func() time.Time

	turn chan struct{} // holds one token; who has it owns size
	size uint64        // tree size of the cosigner's latest checkpoint, as last heard

	mu     sync.Mutex
	rest   rest          // under mu
	took   time.Duration // under mu; the last call
	signed []Signed      // under mu; by cosigner
}

// Signed is what a cosigner was last seen to cosign, in this process.
type Signed struct {
	Name string // in the trust file
	Size uint64 // of the tree; 0: nothing yet
	Time int64  // Unix seconds, by the cosigner's clock
	// Err is why the last call gave no cosignature; nil if it gave one, or if
	// there was none.
	Err error
}

// NewClient returns a Client.
func NewClient(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("submission prefix %.200q is not a plain http or https URL", cfg.URL)
	}
	if len(cfg.Cosigners) == 0 {
		return nil, errors.New("no cosigner at this submission prefix")
	}
	c := &Client{
		cosigners: cfg.Cosigners,
		endpoint:  u.JoinPath("add-checkpoint").String(),
		timeout:   cfg.Timeout,
		now:       cfg.Now,
		turn:      make(chan struct{}, 1),
		signed:    make([]Signed, len(cfg.Cosigners)),
	}
	for i, o := range cfg.Cosigners {
		c.signed[i].Name = o.Name
	}
	c.turn <- struct{}{}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.now == nil {
		c.now = time.Now
	}
	if cfg.HTTP != nil {
		c.http = *cfg.HTTP
	} else {
		c.http.Transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			ForceAttemptHTTP2:      true,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 16 << 10,
			DisableCompression:     true,
		}
	}
	// A redirect would let a cosigner send our requests anywhere.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http.Jar = nil
	return c, nil
}

// NewClients returns one Client per submission prefix in the trust file, in
// its order. Cosigners without a URL are left out.
func NewClients(p *trust.Policy, hc *http.Client, timeout time.Duration) ([]*Client, error) {
	var urls []string
	byURL := make(map[string][]trust.Cosigner)
	for _, c := range p.Cosigners() {
		if c.URL == "" {
			continue
		}
		if byURL[c.URL] == nil {
			urls = append(urls, c.URL)
		}
		byURL[c.URL] = append(byURL[c.URL], c)
	}
	var clients []*Client
	for _, u := range urls {
		c, err := NewClient(Config{URL: u, Cosigners: byURL[u], HTTP: hc, Timeout: timeout})
		if err != nil {
			return nil, fmt.Errorf("cosigner %q: %w", byURL[u][0].Name, err)
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// Names returns the cosigners' names in the trust file.
func (c *Client) Names() []string {
	names := make([]string, len(c.cosigners))
	for i, o := range c.cosigners {
		names[i] = o.Name
	}
	return names
}

// Signed returns what each cosigner was last seen to cosign.
func (c *Client) Signed() []Signed {
	c.mu.Lock()
	defer c.mu.Unlock()
	signed := slices.Clone(c.signed)
	for i := range signed {
		signed[i].Err = c.rest.last
	}
	return signed
}

// Wait waits until the call in progress has ended.
func (c *Client) Wait() { c.turn <- <-c.turn }

// unready returns why the cosigner had better not be asked now, or nil.
func (c *Client) unready() error {
	if len(c.turn) == 0 {
		return ErrBusy
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rest.check(c.now())
}

// prompt reports whether the last call has taken less than d.
func (c *Client) prompt(d time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.took < d
}

// Cosign asks for cosignatures on a signed checkpoint and returns at least one,
// at most one per key, all verified. It waits for a call in progress.
func (c *Client) Cosign(ctx context.Context, checkpoint []byte, consistency Consistency) ([]trust.Cosignature, error) {
	text, _, _ := strings.Cut(string(checkpoint), "\n\n")
	body, err := trust.ParseBody(text + "\n")
	if err != nil {
		return nil, fmt.Errorf("checkpoint to be cosigned: %w", err)
	}
	// The timeout covers the wait too; that one call can hold up another for.
	callCtx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-callCtx.Done():
	}
	// Who has waited, for us or for the store to be closed, sees no call begin.
	if err := callCtx.Err(); err != nil {
		return nil, fmt.Errorf("waiting for an earlier request: %w", err)
	}
	began := time.Now()
	sigs, err := c.converse(callCtx, checkpoint, body, consistency)
	// A call that the caller gave up says nothing about the cosigner, and
	// neither does our own failure to make a proof.
	if ctx.Err() == nil && !errors.Is(err, errOurs) {
		c.learn(body.Size, sigs, err, time.Since(began))
	}
	return sigs, err
}

// learn remembers how a call has ended.
func (c *Client) learn(size uint64, sigs []trust.Cosignature, err error, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took = took
	c.rest.record(err, c.now())
	for i := range c.signed {
		for _, sig := range sigs {
			if sig.Name == c.signed[i].Name {
				c.signed[i].Size, c.signed[i].Time = size, sig.Unix
			}
		}
	}
}

// errOurs marks a failure that is not the cosigner's.
var errOurs = errors.New("making consistency proof")

// converse sends requests until the cosigner and we agree where it stands.
func (c *Client) converse(ctx context.Context, checkpoint []byte, body trust.Body, consistency Consistency) ([]trust.Cosignature, error) {
	// A smaller checkpoint than the cosigner holds can only be refused; it shall
	// be the cosigner who says so, not our memory.
	old := min(c.size, body.Size)
	for range maxRequests {
		var proof []Hash
		if old != 0 && old != body.Size {
			var err error
			if proof, err = consistency(ctx, old); err != nil {
				return nil, fmt.Errorf("%w from size %d: %w", errOurs, old, err)
			}
			// SPEC: "The client MUST NOT send more than 63 consistency proof lines."
			if len(proof) > maxProof {
				return nil, fmt.Errorf("%w: %d hashes", errOurs, len(proof))
			}
		}
		r, err := c.post(ctx, formatRequest(old, proof, checkpoint))
		if err != nil {
			return nil, err
		}
		if r.code == http.StatusOK {
			sigs, err := c.verify(body, r.body)
			if err == nil {
				c.size = body.Size
			}
			return sigs, err
		}
		size, err := r.conflict()
		if err != nil {
			return nil, err
		}
		if size > body.Size {
			return nil, &AheadError{Size: size}
		}
		// We said exactly that: asking again would not end.
		if size == old {
			return nil, fmt.Errorf("%w: refuses old size %d and demands it", ErrReply, old)
		}
		old, c.size = size, size
	}
	return nil, fmt.Errorf("%w: it names another old size each time", ErrReply)
}
