//go:build !unix

package hammer

import (
	"io/fs"
	"time"
)

func allocated(info fs.FileInfo) int64 { return info.Size() }

func ownCPU() time.Duration { return 0 }
