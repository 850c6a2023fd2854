//go:build !unix && !windows

package watch

import "errors"

// LockState fails where there are no locks: what one changes in a state, another
// that changes it at the same time would undo.
func LockState(string) (unlock func(), err error) {
	return nil, errors.New("files cannot be locked on this system, and a state needs that")
}
