//go:build !unix

package hammer

import (
	"errors"
	"io/fs"
	"time"
)

func allocated(info fs.FileInfo) int64 { return info.Size() }

func (p *process) pause() error { return errors.ErrUnsupported }

func (p *process) resume() error { return errors.ErrUnsupported }

func ownCPU() time.Duration { return 0 }
