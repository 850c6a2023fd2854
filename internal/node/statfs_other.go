//go:build !(linux || darwin || freebsd)

package node

import "math"

// statfs does not know: there is always room.
func statfs(string) (free, total uint64, err error) { return math.MaxUint64, math.MaxUint64, nil }
