package auditor

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/mirror"
)

// sourceError is a failure of the log, or of the way there.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// source marks the failures of a mirror.Source.
type source struct{ log mirror.Source }

func (s source) Checkpoint(ctx context.Context) ([]byte, error) {
	note, err := s.log.Checkpoint(ctx)
	return note, marked(err)
}

func (s source) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	data, err := s.log.Tile(ctx, t)
	return data, marked(err)
}

func marked(err error) error {
	if err == nil {
		return nil
	}
	return &sourceError{fmt.Errorf("reading the log: %w", err)}
}
