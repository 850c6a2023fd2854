package deliver

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/watch"
)

// feedEntries bounds the entries of a feed, and maxFeed its bytes.
const (
	feedEntries = 500
	maxFeed     = 16 << 20
)

// Feed is an Atom feed in a file: of the events that were delivered to it, the
// newest 500.
//
// Which entries it has, their order and their bytes depend on the events alone,
// and not on when they came: what leaves did can be made again from the log. Its
// ids are made of the events' ids.
type Feed struct {
	path  string
	title string

	mu      sync.Mutex
	entries []feedEntry // newest first; under mu
	changed bool        // since the file was written
}

// What is written, in the order of elements.
type feedFile struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Author  feedAuthor  `xml:"author"`
	Entries []feedEntry `xml:"entry"`
}

type feedAuthor struct {
	Name string `xml:"name"`
}

type feedEntry struct {
	ID       string       `xml:"id"`
	Title    string       `xml:"title"`
	Updated  string       `xml:"updated"`
	Author   feedAuthor   `xml:"author"` // the log
	Category feedCategory `xml:"category"`
	Content  string       `xml:"content"`
}

type feedCategory struct {
	Term string `xml:"term,attr"` // the kind of the event
}

// OpenFeed returns the feed at path; it is made with the first event. What is
// there and is no such feed is not replaced.
func OpenFeed(path, title string) (*Feed, error) {
	f := &Feed{path: path, title: printable(title)}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFeed+1))
	if err != nil {
		return nil, err
	}
	if f.entries, err = parseFeed(data); err != nil {
		return nil, fmt.Errorf("%s: not a feed that this program has written: %w: move it away", path, err)
	}
	return f, nil
}

func parseFeed(data []byte) ([]feedEntry, error) {
	var old feedFile
	if len(data) > maxFeed {
		return nil, fmt.Errorf("larger than %d bytes", maxFeed)
	}
	if err := xml.Unmarshal(data, &old); err != nil {
		return nil, err
	}
	for _, e := range old.Entries {
		if _, err := time.Parse(time.RFC3339, e.Updated); err != nil || !strings.HasPrefix(e.ID, "urn:uuid:") {
			return nil, fmt.Errorf("entry %.100q", e.ID)
		}
	}
	return old.Entries, nil
}

// Deliver adds an event to what Flush will write. One that is there is replaced.
func (f *Feed) Deliver(_ context.Context, e *watch.Event) error {
	entry := feedEntry{
		ID: uuid("event", e.ID), Title: printable(headline(e)), Updated: e.Time.UTC().Format(time.RFC3339),
		Author: feedAuthor{printable(e.Log)}, Category: feedCategory{printable(string(e.Kind))}, Content: printable(e.Text),
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries = slices.DeleteFunc(f.entries, func(o feedEntry) bool { return o.ID == entry.ID })
	f.entries = append(f.entries, entry)
	slices.SortFunc(f.entries, func(a, b feedEntry) int {
		return cmp.Or(strings.Compare(b.Updated, a.Updated), strings.Compare(a.ID, b.ID))
	})
	f.entries = f.entries[:min(len(f.entries), feedEntries)]
	f.changed = true
	return nil
}

// Flush writes the file, in place of what is there.
func (f *Feed) Flush() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.changed {
		return nil
	}
	data, err := f.marshal()
	if err != nil {
		return err
	}
	if err := keyfile.WriteFile(f.path, data, 0o644); err != nil {
		return err
	}
	f.changed = false
	return nil
}

func (f *Feed) marshal() ([]byte, error) {
	out := feedFile{ID: uuid("feed", f.title), Title: f.title, Author: feedAuthor{"standing"}, Entries: f.entries,
		Updated: f.entries[0].Updated}
	data, err := xml.MarshalIndent(out, "", " ")
	return append([]byte(xml.Header), append(data, '\n')...), err
}

// headline says what an event is about, in few words.
func headline(e *watch.Event) string {
	s := fmt.Sprintf("%s [%s]", e.Kind, e.Severity)
	if len(e.Components) > 0 {
		s += " " + e.Components[0].Name
		if n := len(e.Components) - 1; n > 0 {
			s += fmt.Sprintf(" and %d more", n)
		}
	} else if e.PartyName != "" {
		s += " " + e.PartyName
	}
	return s
}

// uuid returns a URN that follows from a name: a UUID of version 8, whose bits
// are the application's (RFC 9562).
func uuid(kind, name string) string {
	b := sha256.Sum256([]byte("standing " + kind + " " + name))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
