//go:build unix

package watch

import (
	"os"
	"syscall"
)

// LockState waits until nobody else is changing the state file at path, in this
// process or another, and keeps others waiting until unlock is called or the
// process ends. It locks a file beside it, for the state is replaced as a whole.
func LockState(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
