package prefill

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Limits.
const (
	maxText   = 256 << 10 // bytes of a file that is read
	maxHashed = 32 << 20  // bytes of a file that is hashed
	maxNames  = 4096      // names in a directory
	maxListed = 1 << 17   // names in all
	maxTags   = 16384
)

var linkPattern = regexp.MustCompile(`^https://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,192}$`)

// tree reads files below a directory, and never leaves it: os.Root follows
// symbolic links only within.
type tree struct {
	root   *os.Root
	notes  []string
	listed int // names so far
}

func (t *tree) note(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(t.notes, s) {
		t.notes = append(t.notes, s)
	}
}

// read returns the content of a regular file of at most max bytes. A device or
// a pipe is not opened: that could block, or act.
func (t *tree) read(name string, max int64) ([]byte, bool) {
	info, err := t.root.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, false
	}
	if info.Size() > max {
		t.note("%s is larger than %d bytes and was not read", name, max)
		return nil, false
	}
	f, err := t.root.Open(name)
	if err != nil {
		t.note("%s cannot be read", name)
		return nil, false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil || int64(len(data)) > max {
		t.note("%s cannot be read", name)
		return nil, false
	}
	return data, true
}

// file reads and hashes a file.
func (t *tree) file(name string) *File {
	data, ok := t.read(name, maxHashed)
	if !ok {
		return nil
	}
	return hashFile(name, data)
}

// list returns the names in a directory, sorted; those after maxNames are
// left out.
func (t *tree) list(dir string) []fs.DirEntry {
	info, err := t.root.Stat(dir)
	if err != nil || !info.IsDir() || t.listed > maxListed {
		return nil
	}
	f, err := t.root.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	entries, _ := f.ReadDir(maxNames) // what could be read is good enough
	t.listed += len(entries)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	if len(entries) == maxNames {
		t.note("%s has more than %d names; some were not looked at", dir, maxNames)
	}
	return entries
}

// places are where projects keep such files.
func places() []string { return []string{".", ".github", "docs", ".gitlab"} }

// find returns the first regular file that has one of the names, whatever its
// case and place. Names come in order of preference.
func (t *tree) find(names ...string) *File {
	for _, dir := range places() {
		entries := t.list(dir)
		for _, want := range names {
			for _, e := range entries {
				if strings.EqualFold(e.Name(), want) {
					if f := t.file(path.Join(dir, e.Name())); f != nil {
						return f
					}
				}
			}
		}
	}
	return nil
}

// text is find for files that are of no use unread.
func (t *tree) text(names ...string) *File {
	f := t.find(names...)
	if f != nil && f.text == nil {
		t.note("%s is larger than %d bytes and was not read", f.Path, maxText)
		return nil
	}
	return f
}

// documents gives a document's name its usual endings.
func documents(stems ...string) (names []string) {
	for _, stem := range stems {
		for _, ext := range []string{".md", "", ".rst", ".txt", ".adoc", ".markdown"} {
			names = append(names, stem+ext)
		}
	}
	return names
}
