package provider_test

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/backend/embedded/provider"
)

// A store that another layout was written into is not opened, nor is one of the
// time before it said which.
func TestLayout(t *testing.T) {
	for name, test := range map[string]struct {
		set  map[string]string
		want error
	}{
		"new":       {nil, nil},
		"this":      {map[string]string{"V": "\x03", "Sx": "y"}, nil},
		"next":      {map[string]string{"V": "\x04"}, provider.ErrLayout},
		"last":      {map[string]string{"V": "\x02"}, provider.ErrLayout},
		"malformed": {map[string]string{"V": ""}, provider.ErrLayout},
		"unsaid":    {map[string]string{"Sx": "y"}, provider.ErrLayout},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			db, err := pebble.Open("store", &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatNewest})
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range test.set {
				if err := db.Set([]byte(k), []byte(v), pebble.Sync); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			for range 2 { // a refusal releases the directory, and what was new says which it is
				p, err := provider.Open("store", provider.Options{FS: fs})
				if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
					t.Fatalf("error %v, want %v", err, test.want)
				}
				if err == nil {
					if err := p.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}
