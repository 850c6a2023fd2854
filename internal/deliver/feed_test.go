package deliver_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/deliver"
	"github.com/standing-log/standing/internal/watch"
)

func events(n int) []*watch.Event {
	var out []*watch.Event
	for i := range n {
		e := event(uint64(i))
		e.ID = fmt.Sprintf("%s/%d/0", e.Log, i)
		e.Time = e.Time.Add(time.Duration(i/3) * time.Second) // three at a time
		e.Text = fmt.Sprintf("text %d, with <b>, & and \x01 control", i)
		out = append(out, e)
	}
	return out
}

// feed delivers events to a feed, with a new process after every so many.
func feed(t *testing.T, path string, list []*watch.Event, restart int) []byte {
	t.Helper()
	for part := range slices.Chunk(list, restart) {
		f, err := deliver.OpenFeed(path, "monitor")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range part {
			if err := f.Deliver(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFeed: what a feed holds follows from the events, whatever came twice, in
// which order of two logs it came, and how often the process began anew; and it
// is bounded.
func TestFeed(t *testing.T) {
	list := events(700)
	want := feed(t, filepath.Join(t.TempDir(), "feed"), list, 700)
	twice := slices.Concat(list[:650], list[600:])
	mixed := slices.Clone(list)
	for i := 0; i+1 < len(mixed); i += 2 {
		mixed[i], mixed[i+1] = mixed[i+1], mixed[i]
	}
	for name, got := range map[string][]byte{
		"restarted": feed(t, filepath.Join(t.TempDir(), "feed"), list, 99),
		"twice":     feed(t, filepath.Join(t.TempDir(), "feed"), twice, 750),
		"mixed":     feed(t, filepath.Join(t.TempDir(), "feed"), mixed, 50),
	} {
		if !bytes.Equal(got, want) {
			t.Errorf("%s: another feed", name)
		}
	}
	var parsed struct {
		XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
		ID      string   `xml:"id"`
		Updated string   `xml:"updated"`
		Entries []struct {
			ID      string `xml:"id"`
			Title   string `xml:"title"`
			Updated string `xml:"updated"`
		} `xml:"entry"`
	}
	if err := xml.Unmarshal(want, &parsed); err != nil {
		t.Fatal(err)
	}
	if len(parsed.Entries) != 500 || parsed.Updated != parsed.Entries[0].Updated || parsed.Entries[0].Updated != list[699].Time.Format(time.RFC3339) {
		t.Errorf("%d entries, updated %s, first %+v", len(parsed.Entries), parsed.Updated, parsed.Entries[0])
	}
	ids := map[string]bool{parsed.ID: true}
	for _, e := range parsed.Entries {
		if ids[e.ID] || e.Title == "" {
			t.Errorf("%+v", e)
		}
		ids[e.ID] = true
	}
}

// TestFeedRefuses: what somebody else has written is not replaced, and nothing is
// written before there is something to say.
func TestFeedRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "feed")
	f, err := deliver.OpenFeed(path, "monitor")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Flush(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("an empty feed was written")
	}
	for name, text := range map[string]string{
		"empty": "", "text": "hello", "another feed": `<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>tag:x</id><updated>2026-01-01T00:00:00Z</updated></entry></feed>`,
		"no time": `<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>urn:uuid:1</id><updated>soon</updated></entry></feed>`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := deliver.OpenFeed(path, "monitor"); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if f, err = deliver.OpenFeed(filepath.Join(t.TempDir(), "no", "feed"), "monitor"); err != nil {
		t.Fatal(err)
	}
	if err := f.Deliver(t.Context(), event(1)); err != nil {
		t.Fatal(err)
	}
	if f.Flush() == nil {
		t.Error("a feed in no directory has arrived")
	}
}

// FuzzFeed: a file that is read as a feed is written the same way again.
func FuzzFeed(f *testing.F) {
	path := filepath.Join(f.TempDir(), "feed")
	feedOf, err := deliver.OpenFeed(path, "monitor")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range events(3) {
		if err := feedOf.Deliver(f.Context(), e); err != nil {
			f.Fatal(err)
		}
	}
	if err := feedOf.Flush(); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`<feed xmlns="http://www.w3.org/2005/Atom"></feed>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "feed")
		again := func(data []byte) []byte {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			feed, err := deliver.OpenFeed(path, "monitor")
			if err != nil {
				return nil
			}
			if err := feed.Deliver(t.Context(), event(1)); err != nil {
				t.Fatal(err)
			}
			if err := feed.Flush(); err != nil {
				t.Fatal(err)
			}
			out, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		once := again(data)
		if once == nil {
			return
		}
		if twice := again(once); !bytes.Equal(once, twice) {
			t.Errorf("%q, and then %q", once, twice)
		}
	})
}
