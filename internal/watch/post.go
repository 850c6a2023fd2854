package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// CloudEvent is an Event in the envelope of CloudEvents 1.0
// (https://cloudevents.io), structured JSON. Receivers tell events that come
// again by source and id.
type CloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"` // the log's origin
	Type            string    `json:"type"`   // TypePrefix and the kind
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            *Event    `json:"data"`
}

// TypePrefix begins the type of every CloudEvent.
const TypePrefix = "standing."

// Envelope returns the event as a CloudEvent.
func (e *Event) Envelope() CloudEvent {
	return CloudEvent{"1.0", e.ID, e.Log, TypePrefix + string(e.Kind), e.Time, "application/json", e}
}

// Poster posts events to an address of the watcher's own. An event is delivered
// once the answer is 2xx.
type Poster struct {
	url  string
	http *http.Client
	// pause is that before the second attempt; it doubles.
	pause time.Duration
}

// attempts is how often one event is posted before the round ends; the next
// round begins with it.
const attempts = 3

// NewPoster returns a Poster to an http or https address.
func NewPoster(address string) (*Poster, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("address %.200q: not http(s)://host/path", address)
	}
	return &Poster{address, &http.Client{
		Timeout: 30 * time.Second,
		// What is posted goes where it was told to go, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, time.Second}, nil
}

// Deliver posts one event.
func (p *Poster) Deliver(ctx context.Context, e *Event) error {
	body, err := json.Marshal(e.Envelope())
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		if err = p.post(ctx, body); err == nil || n == attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(p.pause << (n - 1)):
		}
	}
}

func (p *Poster) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	req.Header.Set("User-Agent", "standing")
	resp, err := p.http.Do(req)
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
