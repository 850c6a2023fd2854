//go:build !unix

package witness

import (
	"errors"
	"os"
)

// lockFile fails: a witness whose records two processes can share is none.
func lockFile(string) (*os.File, error) { return nil, errors.ErrUnsupported }
