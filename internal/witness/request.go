package witness

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxProof is the longest consistency proof. SPEC: "The client MUST NOT send
// more than 63 consistency proof lines."
const maxProof = 63

// request is the body of add-checkpoint.
type request struct {
	old   uint64 // tree size of the last cosigned checkpoint, as the client knows it
	proof [][32]byte
	note  []byte // the signed checkpoint, not yet parsed
}

// parseRequest reads a body. It accepts exactly what format writes.
func parseRequest(body []byte) (*request, error) {
	// SPEC: "an old size line, zero or more consistency proof lines, and an empty
	// line, followed by a checkpoint."
	head, note, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok {
		return nil, errors.New("no empty line before the checkpoint")
	}
	first, rest, more := strings.Cut(string(head), "\n")
	size, ok := strings.CutPrefix(first, "old ")
	if !ok {
		return nil, errors.New("first line is not an old size line")
	}
	old, err := parseSize(size)
	if err != nil {
		return nil, err
	}
	r := &request{old: old, note: note}
	if !more {
		return r, nil
	}
	lines := strings.SplitN(rest, "\n", maxProof+2)
	if len(lines) > maxProof {
		return nil, fmt.Errorf("more than %d consistency proof lines", maxProof)
	}
	for _, l := range lines {
		// SPEC: "Each consistency proof line MUST encode a single hash in base64."
		h, err := base64.StdEncoding.DecodeString(l)
		if err != nil || len(h) != 32 || base64.StdEncoding.EncodeToString(h) != l {
			return nil, errors.New("consistency proof line is not a hash in base64")
		}
		r.proof = append(r.proof, [32]byte(h))
	}
	return r, nil
}

func (r *request) format() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", r.old)
	for _, h := range r.proof {
		fmt.Fprintf(&b, "%s\n", base64.StdEncoding.EncodeToString(h[:]))
	}
	b.WriteByte('\n')
	b.Write(r.note)
	return b.Bytes()
}

// origin is the first line of the checkpoint, unauthenticated.
func (r *request) origin() string {
	line, _, _ := bytes.Cut(r.note, []byte("\n"))
	return string(line)
}

// parseSize reads a tree size. SPEC: "encoded as an ASCII decimal with no
// leading zeroes (unless the size is zero [...])". Below 2^63, as elsewhere.
func parseSize(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, errors.New("tree size is not a decimal without leading zeroes")
	}
	return n, nil
}
