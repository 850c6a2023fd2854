//go:build linux || darwin || freebsd

package node

import "golang.org/x/sys/unix"

// statfs returns the bytes free to us, and all bytes, of dir's file system.
func statfs(dir string) (free, total uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	size := uint64(s.Bsize)
	return uint64(max(s.Bavail, 0)) * size, s.Blocks * size, nil
}
