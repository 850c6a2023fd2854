package mapstore

import (
	"encoding/binary"
	"fmt"
)

// checkKept checks what the store keeps beside the latest version: what older
// versions say of themselves, the prune lists, and the shortcut. Leaves and
// records that are superseded are compared with their version when it is read,
// and not here.
func (s *Snapshot) checkKept() error {
	var bad error
	err := s.view.Scan(versionKey(0), []byte{prefix, kindVersion + 1}, func(key, value []byte) bool {
		if len(key) != len(versionKey(0)) {
			bad = fmt.Errorf("%w: version key %x", ErrCorrupt, key)
			return false
		}
		_, bad = parseMeta(binary.BigEndian.Uint64(key[2:]), value)
		return bad == nil
	})
	if err == nil && bad == nil {
		err = s.view.Scan(pruneKey(0, 0), []byte{prefix, kindPrune + 1}, func(key, value []byte) bool {
			_, bad = parseStale(key, value)
			return bad == nil
		})
	}
	if err == nil && bad == nil {
		err = s.view.Scan(shortcutKey(0), []byte{prefix, kindShortcut + 1}, func(key, value []byte) bool {
			_, _, bad = parseShortcut(key, value)
			return bad == nil
		})
	}
	if err == nil {
		err = bad
	}
	return err
}
