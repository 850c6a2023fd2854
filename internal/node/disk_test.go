package node

import (
	"errors"
	"log/slog"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/standing-log/standing/personality/reason"
)

func TestRoom(t *testing.T) {
	const gib = 1 << 30
	for name, c := range map[string]struct {
		reserve, free, total uint64
		err                  error
		want                 reason.Code
	}{
		"a large disk":              {0, gib, 1000 * gib, nil, ""},
		"a large disk, nearly full": {0, gib - 1, 1000 * gib, nil, reason.NoSpace},
		"a small disk":              {0, gib / 20, gib, nil, ""},
		"a small disk, nearly full": {0, gib/20 - 1, gib, nil, reason.NoSpace},
		"configured":                {2 * gib, 2 * gib, 1000 * gib, nil, ""},
		"configured, nearly full":   {2 * gib, 2*gib - 1, 1000 * gib, nil, reason.NoSpace},
		"full":                      {1, 0, 1000 * gib, nil, reason.NoSpace},
		"unknown":                   {0, 0, 0, errors.New("no such call"), ""},
	} {
		d := &disk{reserve: c.reserve, log: slog.New(slog.DiscardHandler), statfs: func(string) (free, total uint64, err error) {
			return c.free, c.total, c.err
		}}
		if got := reason.CodeOf(d.room()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	free, total, err := statfs(t.TempDir())
	if err != nil || free == 0 || free > total {
		t.Errorf("%d bytes of %d, %v", free, total, err)
	}
	if _, _, err := statfs("/no/such/directory"); err == nil {
		t.Error("a directory that is not there has room")
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "4096": 4096, "2KiB": 2048, "512MiB": 512 << 20, "1GiB": 1 << 30, "3 GiB": 3 << 30,
	} {
		var b Bytes
		if err := yaml.Unmarshal([]byte(text), &b); err != nil || uint64(b) != want {
			t.Errorf("%s: %d, %v", text, b, err)
		}
		again, err := yaml.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var c Bytes
		if err := yaml.Unmarshal(again, &c); err != nil || c != b {
			t.Errorf("%s: again %d, %v", text, c, err)
		}
	}
	for _, text := range []string{"much", "-1", "1GB", "GiB", "1.5GiB", "99999999999999GiB", "[1]"} {
		var b Bytes
		if err := yaml.Unmarshal([]byte(text), &b); err == nil {
			t.Errorf("%s is %d bytes", text, b)
		}
	}
}
