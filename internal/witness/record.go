package witness

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/rfc6962"
)

// record is what the witness remembers of a log.
type record struct {
	size uint64
	root [32]byte
	unix int64  // of the last cosignature; 0 before the first
	note []byte // checkpoint with the log's signatures and ours; nil before the first
}

// A record is stored as "time <unix>\n" and the note.
func formatRecord(unix int64, note []byte) []byte {
	return append(fmt.Appendf(nil, "time %d\n", unix), note...)
}

func parseRecord(origin string, stored []byte) (*record, error) {
	// SPEC: "(or zero if it never cosigned a checkpoint for that origin)".
	if stored == nil {
		return &record{root: [32]byte(rfc6962.DefaultHasher.EmptyRoot())}, nil
	}
	corrupt := fmt.Errorf("corrupt witness record of %q", origin)
	first, msg, _ := bytes.Cut(stored, []byte("\n"))
	text, _, ok := bytes.Cut(msg, []byte("\n\n"))
	t, ok2 := strings.CutPrefix(string(first), "time ")
	unix, err := parseSize(t)
	if !ok || !ok2 || err != nil || unix == 0 || unix > math.MaxInt64 {
		return nil, corrupt
	}
	cp, err := torchwood.ParseCheckpoint(string(text) + "\n")
	if err != nil || cp.Origin != origin {
		return nil, corrupt
	}
	return &record{size: uint64(cp.N), root: [32]byte(cp.Hash), unix: int64(unix), note: msg}, nil
}
