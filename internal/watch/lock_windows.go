package watch

import (
	"os"

	"golang.org/x/sys/windows"
)

// LockState waits until nobody else is changing the state file at path, in this
// process or another, and keeps others waiting until unlock is called or the
// process ends. It locks a file beside it, for the state is replaced as a whole.
func LockState(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, new(windows.Overlapped)); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
