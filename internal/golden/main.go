// Command golden writes the golden logs in testdata/golden, which are for
// implementers: logs that obey every rule once and break every rule once, with
// the outcome of each leaf. README.md beside them is the format.
//
//	go run ./internal/golden -check     compare what is there with what would be written
//	go run ./internal/golden -update    write it
//
// A log is a script: a table of steps, each of which has a name, says why it is
// there, makes one leaf and knows what becomes of it. The outcome is written by
// hand; the roots are those of package replay, and a test compares all of it
// with the second implementation.
//
// Invariants:
//
//   - The same program writes the same bytes: keys are from seeds, signatures
//     are deterministic, and there is no clock.
//   - A step that has another outcome than the one written down ends the
//     program; nothing is written then.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	dir := flag.String("dir", "testdata/golden", "where the files are")
	check := flag.Bool("check", false, "compare the files with what would be written")
	update := flag.Bool("update", false, "write the files")
	flag.Parse()
	if *check == *update || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*dir, *update); err != nil {
		fmt.Fprintln(os.Stderr, "golden:", err)
		os.Exit(1)
	}
}

// run writes the files, or compares them.
func run(dir string, update bool) error {
	files, err := build()
	if err != nil {
		return err
	}
	if update {
		return write(dir, files)
	}
	return compare(dir, files)
}

// file is one that is written: path is relative to the directory.
type file struct {
	path string
	data []byte
}

func write(dir string, files []file) error {
	for _, f := range files {
		path := filepath.Join(dir, f.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare also finds files that nobody writes any more.
func compare(dir string, files []file) error {
	var bad []error
	known := []string{"README.md"}
	for _, f := range files {
		known = append(known, f.path)
		b, err := os.ReadFile(filepath.Join(dir, f.path))
		if err == nil && !bytes.Equal(b, f.data) {
			err = fmt.Errorf("%s is not what is written now: run go run ./internal/golden -update, and look at what changed", f.path)
		}
		bad = append(bad, err)
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if rel, err := filepath.Rel(dir, path); err != nil || !slices.Contains(known, filepath.ToSlash(rel)) {
			return fmt.Errorf("%s is written by nobody (%v)", path, err)
		}
		return nil
	})
	return errors.Join(append(bad, err)...)
}

// build makes all files.
func build() ([]file, error) {
	main, err := play(mainScript())
	if err != nil {
		return nil, err
	}
	state, err := main.state()
	if err != nil {
		return nil, err
	}
	rules, err := encode(flagged()...)
	if err != nil {
		return nil, err
	}
	files := []file{{"state.jsonl", state}, {"rules.jsonl", rules}}
	for _, s := range append([]script{mainScript()}, smallScripts()...) {
		b, err := play(s)
		if err != nil {
			return nil, err
		}
		data, err := b.file()
		if err != nil {
			return nil, err
		}
		files = append(files, file{s.path, data})
	}
	return files, nil
}
