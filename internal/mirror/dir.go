package mirror

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// DefaultDir returns where the copy of a log is kept if nobody says otherwise:
// a directory of the user's cache, which may be deleted at any time.
func DefaultDir(origin string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "standing", DirName(origin)), nil
}

// DirName returns a name of its own for each origin, which people recognise.
func DirName(origin string) string {
	readable := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, origin)
	digest := sha256.Sum256([]byte(origin))
	return fmt.Sprintf("%.60s-%x", readable, digest[:8])
}
