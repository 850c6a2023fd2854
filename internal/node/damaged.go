package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/keyfile"
)

// damagedFile is there from the moment somebody has found the store damaged
// until Fsck has found nothing. A start looks only at what it needs: damage to
// anything else would be forgotten, and signed upon, until it is met again. It
// is a file beside the store, because a damaged store may not take a write.
const damagedFile = "store.damaged"

// stopped is told why the writer has stopped. Damage is written down for the
// next start; all else, such as a full disk, the next start can judge by itself.
func (n *Node) stopped(dir string, cause error) {
	if !errors.Is(cause, backend.ErrDamaged) {
		return
	}
	text := strings.Join(strings.Fields(cause.Error()), " ") + "\n"
	err := keyfile.WriteNew(filepath.Join(dir, damagedFile), []byte(text), 0o644)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		n.log.Error("the store is damaged, and the next start will not know", "err", err)
	}
}

// checkDamaged refuses a store that was found damaged.
func checkDamaged(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, damagedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: the log stopped because of what it found (%s): keep a copy of %s, then run `standing fsck %s`, which names the first bad thing, or finds none and lets the node start; a damaged store is made again by `standingd recover`",
		backend.ErrDamaged, strings.TrimSpace(string(b)), dir, dir)
}

// nextStep adds to the error of a start, if it is damage, what to do about it.
func nextStep(dir string, err error) error {
	if !errors.Is(err, backend.ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w: keep a copy of %s, then run `standing fsck %s`, which names the first bad thing; `standingd rebuild --dir %s` makes the store again from its leaves, `standingd recover` from a mirror",
		err, dir, dir, dir)
}

// clearDamaged lets the next start go on.
func clearDamaged(dir string) error {
	err := os.Remove(filepath.Join(dir, damagedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
