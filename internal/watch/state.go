package watch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/standing-log/standing/internal/keyfile"
)

// State is what a watcher remembers: what it watches, and how far each receiver
// was told of each log. It is a JSON file.
type State struct {
	Version int `json:"version"` // 2
	// Interest is the Digest of what is watched.
	Interest string `json:"interest"`
	// Receivers are cursors by name of the receiver and origin of the log.
	Receivers map[string]map[string]Cursor `json:"receivers"`
}

// NewState returns a state in which nothing has begun.
func NewState(interest *Interest) *State {
	return &State{Version: 2, Interest: interest.Digest(), Receivers: map[string]map[string]Cursor{}}
}

// Set sets the cursor of a receiver in a log.
func (s *State) Set(receiver, origin string, c Cursor) {
	if s.Receivers[receiver] == nil {
		s.Receivers[receiver] = map[string]Cursor{}
	}
	s.Receivers[receiver][origin] = c
}

// maxState bounds a state file, in bytes.
const maxState = 1 << 20

// ErrState means that a file is not a state that can be read here. It is never
// replaced: what it would have said is not known.
var ErrState = errors.New("not the state of a watcher")

// ReadState reads a state file. It fails with fs.ErrNotExist or ErrState.
func ReadState(path string) (*State, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err != nil {
		return nil, err
	}
	s, err := parseState(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrState, path, err)
	}
	return s, nil
}

func parseState(data []byte) (*State, error) {
	if len(data) > maxState {
		return nil, fmt.Errorf("larger than %d bytes", maxState)
	}
	var s State
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more behind its end")
	}
	if s.Version != 2 || len(s.Interest) != 64 || s.Receivers == nil {
		return nil, errors.New("another version, or members are missing")
	}
	return &s, nil
}

// Write stores the state in place of what is there.
func (s *State) Write(path string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return keyfile.WriteFile(path, append(data, '\n'), 0o600)
}
