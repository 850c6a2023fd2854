// Package deliver brings the events of package watch to those who want them:
//
//   - [Webhook] posts them: CloudEvents 1.0 in structured JSON
//     (https://cloudevents.io), signed as Standard Webhooks says
//     (https://www.standardwebhooks.com);
//   - [Command] runs a program for each, which gets the same JSON on standard
//     input;
//   - [Feed] keeps an Atom feed (RFC 4287) in a file;
//   - [Lines] writes a line for each, for people or as JSON.
//
// Each is a watch.Receiver, safe for concurrent use: of several logs events come
// at the same time.
//
// Invariants:
//
//   - An event is reported as delivered only when it has arrived: the answer was
//     2xx, the program ended with 0, the file was written and synced.
//   - An event that comes again has the same id everywhere, so that receivers
//     can tell.
package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/standing-log/standing/internal/watch"
)

// TypePrefix begins the type of every CloudEvent; the kind follows.
const TypePrefix = "standing."

// cloudEvent is the envelope. Receivers tell events that come again by source
// and id.
type cloudEvent struct {
	SpecVersion     string       `json:"specversion"`
	ID              string       `json:"id"`
	Source          string       `json:"source"` // the log's origin
	Type            string       `json:"type"`
	Time            time.Time    `json:"time"`
	DataContentType string       `json:"datacontenttype"`
	Data            *watch.Event `json:"data"`
}

// CloudEvent returns an event as a CloudEvent in structured JSON.
func CloudEvent(e *watch.Event) ([]byte, error) {
	return json.Marshal(cloudEvent{"1.0", e.ID, e.Log, TypePrefix + string(e.Kind), e.Time, "application/json", e})
}

// Lines writes a line for each event.
type Lines struct {
	JSON bool // as an object, not as text

	mu sync.Mutex
	w  io.Writer
}

// NewLines returns a Lines that writes to w.
func NewLines(w io.Writer, json bool) *Lines { return &Lines{w: w, JSON: json} }

// Deliver writes one event.
func (l *Lines) Deliver(_ context.Context, e *watch.Event) error {
	line := printable(fmt.Sprintf("%s %s %s [%s]: %s", e.Time.Format(time.RFC3339), e.Log, strings.ToUpper(string(e.Kind)), e.Severity, e.Text))
	if l.JSON {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		line = string(b)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := io.WriteString(l.w, line+"\n")
	return err
}

// Flush does nothing: what was written is out.
func (l *Lines) Flush() error { return nil }

// printable replaces what could make a terminal show something else than what
// is written. Names come from anybody.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
