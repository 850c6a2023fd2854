package witness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cosignote "github.com/transparency-dev/formats/note"
)

func mldsaKey(t testing.TB, name string) (skey string, s Signer) {
	t.Helper()
	skey, vkey, err := cosignote.GenerateMLDSAKey(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err = NewSigner(skey)
	if err != nil || s.Key().Vkey != vkey {
		t.Fatalf("NewSigner: %v", err)
	}
	return skey, s
}

func openDir(t *testing.T, dir string) *DirStore {
	t.Helper()
	s, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// stores are the implementations that pass TestStore and TestNoRollback.
func stores(*testing.T) map[string]func(*testing.T) Store {
	return map[string]func(*testing.T) Store{
		"memory":    func(*testing.T) Store { return &MemStore{} },
		"directory": func(t *testing.T) Store { return openDir(t, t.TempDir()) },
	}
}

func set(s Store, origin, v string) error {
	return s.Update(context.Background(), origin, func([]byte) ([]byte, error) { return []byte(v), nil })
}

func latest(t *testing.T, s Store, origin string) string {
	t.Helper()
	v, err := s.Latest(t.Context(), origin)
	if err != nil {
		t.Fatal(err)
	}
	if v == nil {
		return "none"
	}
	return string(v)
}

func TestStore(t *testing.T) {
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			if v := latest(t, s, "a"); v != "none" {
				t.Errorf("new store has %q", v)
			}
			if err := set(s, "a", "1"); err != nil {
				t.Fatal(err)
			}
			if err := set(s, "b/\xff", "2\n"); err != nil {
				t.Fatal(err)
			}
			stop := errors.New("stop")
			err := s.Update(t.Context(), "a", func(current []byte) ([]byte, error) {
				if string(current) != "1" {
					t.Errorf("current = %q", current)
				}
				return []byte("x"), stop
			})
			if err != stop {
				t.Errorf("Update = %v, want fn's error unchanged", err)
			}
			if err := set(s, "a", ""); err == nil {
				t.Error("stored an empty record")
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.Update(ctx, "a", func([]byte) ([]byte, error) { return []byte("x"), nil }); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled Update: %v", err)
			}
			if a, b := latest(t, s, "a"), latest(t, s, "b/\xff"); a != "1" || b != "2\n" {
				t.Errorf("records %q, %q", a, b)
			}
		})
	}
}

func TestRestart(t *testing.T) {
	l, dir, c := newTestLog(t, testOrigin, 20), t.TempDir(), &clock{5000}
	s := openDir(t, dir)
	if rec := post(t, newTestWitness(t, s, c, l), l.request(t, 0, 8)); rec.Code != 200 {
		t.Fatal(rec.Body)
	}
	if _, err := OpenDir(dir); err == nil {
		t.Fatal("two stores share a directory")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// A crash while writing leaves a temporary file.
	if err := os.WriteFile(s.path(testOrigin)+".tmp", []byte(recordMagic), 0o600); err != nil {
		t.Fatal(err)
	}
	c.unix = 4990
	w := newTestWitness(t, openDir(t, dir), c, l)
	if rec := post(t, w, l.request(t, 0, 4)); rec.Code != 409 || rec.Body.String() != "8\n" {
		t.Errorf("after restart: %d %s", rec.Code, rec.Body)
	}
	rec := post(t, w, l.request(t, 8, 20))
	if rec.Code != 200 {
		t.Fatal(rec.Body)
	}
	if unix := verify(t, w.Vkeys()[0], l.text(t, 20), rec.Body.String()); unix != 5000 {
		t.Errorf("signed at %d after restart", unix)
	}
}

func TestCorruptFile(t *testing.T) {
	l, dir := newTestLog(t, testOrigin, 20), t.TempDir()
	s := openDir(t, dir)
	w := newTestWitness(t, s, &clock{1000}, l)
	if rec := post(t, w, l.request(t, 0, 8)); rec.Code != 200 {
		t.Fatal(rec.Body)
	}
	path := s.path(testOrigin)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string][]byte{
		"empty":    {},
		"header":   []byte(recordMagic + "\n"),
		"cut":      good[:len(good)-1],
		"longer":   append(good[:len(good):len(good)], '\n'),
		"large":    append(good[:len(good):len(good)], make([]byte, maxRecord)...),
		"of other": append(header("x", good), good...),
	}
	for i := 0; i < len(good); i += 7 {
		b := append([]byte(nil), good...)
		b[i] ^= 1
		bad[fmt.Sprintf("flipped at %d", i)] = b
	}
	for name, b := range bad {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		rec := post(t, w, l.request(t, 0, 8))
		if rec.Code != 500 || strings.Contains(rec.Body.String(), "—") {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if _, err := w.Latest(t.Context(), testOrigin); err == nil {
			t.Errorf("%s: Latest serves it", name)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if rec := post(t, w, l.request(t, 8, 20)); rec.Code != 200 {
		t.Errorf("recovered: %d %s", rec.Code, rec.Body)
	}
}

// TestFailedSync fails the sync of the file, then of the directory: no
// cosignature leaves, and the store stays stopped until it is opened again.
func TestFailedSync(t *testing.T) {
	l := newTestLog(t, testOrigin, 20)
	for after := range 2 {
		dir := t.TempDir()
		s := openDir(t, dir)
		w := newTestWitness(t, s, &clock{1000}, l)
		if rec := post(t, w, l.request(t, 0, 8)); rec.Code != 200 {
			t.Fatal(rec.Body)
		}
		calls := 0
		s.sync = func(f *os.File) error {
			if calls++; calls > after {
				return errors.New("no power")
			}
			return f.Sync()
		}
		if rec := post(t, w, l.request(t, 8, 12)); rec.Code != 500 || strings.Contains(rec.Body.String(), "—") {
			t.Errorf("failed sync %d: %d %s", after, rec.Code, rec.Body)
		}
		s.sync = (*os.File).Sync
		for _, size := range []int64{8, 12} {
			if rec := post(t, w, l.request(t, size, 20)); rec.Code != 500 {
				t.Errorf("store goes on after a failed sync: %d", rec.Code)
			}
		}
		s.Close()
		w = newTestWitness(t, openDir(t, dir), &clock{1000}, l)
		want := []string{"8\n", "12\n"}[after]
		if rec := post(t, w, l.request(t, 0, 4)); rec.Code != 409 || rec.Body.String() != want {
			t.Errorf("reopened: %d %q, want %q", rec.Code, rec.Body, want)
		}
	}
}

func TestOpenDir(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDir(file); err == nil {
		t.Error("opened a file as a directory")
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	openDir(t, dir)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}
