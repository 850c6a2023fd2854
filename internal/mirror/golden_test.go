package mirror_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/mapfn"
)

// line is a leaf of a golden log; see testdata/golden/README.md.
type line struct {
	Origin string
	Is     string
	Line   *int
	Leaf   *string
	Leaf64 []byte
	Root   string
}

func (l *line) bytes() []byte {
	if l.Leaf != nil {
		return []byte(*l.Leaf)
	}
	return l.Leaf64
}

func readGolden(t *testing.T, path string) (origin string, lines []line) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(nil, len(b))
	for sc.Scan() {
		var l line
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Origin != "" {
			origin = l.Origin
		} else {
			lines = append(lines, l)
		}
	}
	return origin, lines
}

// TestGolden syncs every golden log, at each of its seals and in one go: each
// has the state that the log is known to have; a false seal, and a leaf under an
// unknown map function, end it there, and the state before stays.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("../../testdata/golden/*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../../testdata/golden/false-seal/*.jsonl")
	if err != nil || len(more) < 10 {
		t.Fatalf("%d logs with false seals, %v", len(more), err)
	}
	for _, file := range append(files, more...) {
		if base := filepath.Base(file); base == "state.jsonl" || base == "rules.jsonl" {
			continue
		}
		name, lines := readGolden(t, file)
		for how, each := range map[string]bool{"each seal": true, "in one go": false} {
			t.Run(filepath.Base(file)+" "+how, func(t *testing.T) { syncGolden(t, name, lines, each) })
		}
	}
}

func syncGolden(t *testing.T, origin string, lines []line, each bool) {
	n := testnode.New(t, origin)
	m, err := mirror.Open(t.Context(), mirror.Config{Dir: "copy", FS: vfs.NewMem(), Origin: origin, Policy: n.Policy, Now: n.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer close_(t, m)
	s := newStatic(t, n)
	held, seals := uint64(0), 0
	for i, l := range lines {
		s.add(l.bytes())
		switch {
		case l.Is == "false-seal":
			err := s.sync(m)
			f, ok := errors.AsType[*replay.FalseSealError](err)
			if !ok || f.Index != uint64(i) || f.Line != *l.Line {
				t.Fatalf("false seal at %d, line %d: %v", i, *l.Line, err)
			}
			if e, ok := errors.AsType[*mirror.EvidenceError](err); !ok || e.Kind != mirror.FalseSeal {
				t.Fatalf("false seal at %d is no evidence: %v", i, err)
			} else if found, err := verified(e.File, n.Policy, n.Now()); err != nil || found.Index != uint64(i) || found.Line != *l.Line {
				t.Fatalf("false seal at %d: the file says %+v, %v: %v", i, found, err, e)
			}
		case l.Is == "stop":
			if err := s.sync(m); !errors.Is(err, mapfn.ErrFunction) {
				t.Fatalf("stop at %d: %v", i, err)
			}
		case l.Is != "seal":
			continue
		case each || i == len(lines)-1 || lines[i+1].Is == "stop":
			if err := s.sync(m); err != nil {
				t.Fatalf("seal at %d: %v", i, err)
			}
			held, seals = uint64(i)+1, seals+1
			wantState(t, m, held, l.Root)
		}
	}
	if each && seals == 0 {
		t.Error("no seal")
	}
	if held > 0 {
		wantState(t, m, held, "")
	}
}

// wantState checks the size, and the map root unless it is empty.
func wantState(t *testing.T, m *mirror.Mirror, size uint64, root string) {
	t.Helper()
	s, err := m.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := s.Map.Root()
	if s.Size != size || root != "" && hex.EncodeToString(got[:]) != root {
		t.Fatalf("size %d, map root %x; want %d, %s", s.Size, got, size, root)
	}
	if err := s.Map.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
}
