package deliver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/standing-log/standing/internal/watch"
)

// WebhookConfig is what a Webhook needs.
type WebhookConfig struct {
	// URL, http or https, of the receiver.
	URL string
	// Secret signs, unless it is empty: see ParseSecret.
	Secret []byte
	// HTTP makes the requests; nil: one with a time limit. Its redirect policy
	// is not used.
	HTTP *http.Client
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Pause before the second attempt; it doubles. 0: a second.
	Pause time.Duration
}

// Webhook posts events to an address of the monitor's own. An event has arrived
// once the answer is 2xx.
type Webhook struct {
	cfg  WebhookConfig
	http http.Client
}

// attempts is how often one event is posted before the round ends; the next
// round begins with it.
const attempts = 3

// NewWebhook returns a Webhook.
func NewWebhook(cfg WebhookConfig) (*Webhook, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("address %.200q: not http(s)://host/path", cfg.URL)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Pause == 0 {
		cfg.Pause = time.Second
	}
	w := &Webhook{cfg: cfg, http: http.Client{Timeout: 30 * time.Second}}
	if cfg.HTTP != nil {
		w.http = *cfg.HTTP
	}
	// What is posted goes where it was told to go, and nowhere else.
	w.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return w, nil
}

// secretPrefix begins a secret as people copy it.
const secretPrefix = "whsec_"

// ParseSecret reads a secret: "whsec_" and 24 to 64 bytes in base64.
func ParseSecret(text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(text), secretPrefix)
	secret, err := base64.StdEncoding.DecodeString(encoded)
	// SPEC: Standard Webhooks: secrets are "between 24 bytes (192 bits) and 64
	// bytes (512 bits)", "base64 encoded" and "prefixed with whsec_".
	if !ok || err != nil || len(secret) < 24 || len(secret) > 64 {
		return nil, errors.New(`not a webhook secret: "whsec_" and 24 to 64 bytes in base64`)
	}
	return secret, nil
}

// Sign returns the signature of Standard Webhooks over a message.
func Sign(secret []byte, id string, unix int64, body []byte) string {
	// SPEC: the signed content is the id, the timestamp and the payload,
	// "concatenated and separated by periods".
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%d.", id, unix)
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// MessageID returns the webhook-id of an event: as the event's own, but without
// periods, which separate what is signed.
func MessageID(e *watch.Event) string {
	return fmt.Sprintf("msg_%.16x", sha256.Sum256([]byte(e.ID)))
}

// Deliver posts one event.
func (w *Webhook) Deliver(ctx context.Context, e *watch.Event) error {
	body, err := CloudEvent(e)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		if err = w.post(ctx, e, body); err == nil || n == attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(w.cfg.Pause << (n - 1)):
		}
	}
}

// Flush does nothing: what was delivered has arrived.
func (w *Webhook) Flush() error { return nil }

func (w *Webhook) post(ctx context.Context, e *watch.Event, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	id, now := MessageID(e), w.cfg.Now().Unix()
	req.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	req.Header.Set("User-Agent", "standing")
	req.Header.Set("Webhook-Id", id)
	// SPEC: the timestamp is that of the attempt, the id that of the message.
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(now, 10))
	if w.cfg.Secret != nil {
		req.Header.Set("Webhook-Signature", Sign(w.cfg.Secret, id, now, body))
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return fmt.Errorf("posting: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection is used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("posting to %s: HTTP %d", req.URL.Host, resp.StatusCode)
	}
	return nil
}
