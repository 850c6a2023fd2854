package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPlants: there is what each bug breaks. Whether it is found takes minutes to see.
func TestPlants(t *testing.T) {
	for _, p := range plants() {
		good, err := os.ReadFile(filepath.Join("../..", p.file))
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := p.spoil(good); err != nil {
			t.Errorf("%s: %v", p.file, err)
		}
	}
}
