package node

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/personality/trust"
)

// levels returns what was found, by name.
func levels(found []Finding) map[string]Finding {
	out := map[string]Finding{}
	for _, f := range found {
		out[f.Name] = f
	}
	return out
}

// expect compares findings with levels; a level may be followed by words of the
// detail or the next step.
func expect(t *testing.T, what string, found []Finding, want map[string]string) {
	t.Helper()
	got := levels(found)
	for name, w := range want {
		level, words, _ := strings.Cut(w, " ")
		f, ok := got[name]
		if !ok || string(f.Level) != level || !strings.Contains(f.Detail+"; "+f.Next, words) {
			t.Errorf("%s: %s is %+v, want %s", what, name, f, w)
		}
		if f.Level != Good && f.Next == "" {
			t.Errorf("%s: %s has no next step: %+v", what, name, f)
		}
	}
	for name, f := range got {
		if f.Level == Bad && !strings.HasPrefix(want[name], string(Bad)) {
			t.Errorf("%s: %s is bad: %s", what, name, f.Detail)
		}
	}
}

// TestDoctor looks at a node before it runs, while it does, and after.
func TestDoctor(t *testing.T) {
	dir := made(t)
	want := map[string]string{
		"version": "ok", "configuration": "ok the log " + testOrigin, "keys": "ok", "root key": "warn offline", "disk": "ok",
		"running": "warn standingd serve", "store": "ok 2 leaves", "published": "warn nothing", "quorum": "warn not without local",
		"witnesses": "warn against two clones", "auditor": "warn audit", "export": "unknown none was made",
	}
	expect(t, "before", Doctor(t.Context(), dir, "http://127.0.0.1:1"), want)
	l, url := listen(t)
	n := start(t, dir, l)
	if err := n.WaitPublished(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	delete(want, "store")
	want["running"], want["published"] = "ok", "ok size 2"
	expect(t, "running", Doctor(t.Context(), dir, url), want)
	want["running"], want["published"] = "bad --url", "warn"
	expect(t, "running elsewhere", Doctor(t.Context(), dir, "http://127.0.0.1:1"), want)
}

// TestDoctorFinds breaks one thing at a time.
func TestDoctorFinds(t *testing.T) {
	write := func(name, text string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600) }
	}
	for name, c := range map[string]struct {
		breaks func(dir string) error
		want   map[string]string
	}{
		"no node":           {func(dir string) error { return os.RemoveAll(dir) }, map[string]string{"configuration": "bad standingd init"}},
		"bad configuration": {write(configFile, "origins: x\n"), map[string]string{"configuration": "bad origins"}},
		"a key for all":     {func(dir string) error { return os.Chmod(filepath.Join(dir, logKeyFile), 0o644) }, map[string]string{"keys": "bad chmod"}},
		"no key":            {func(dir string) error { return os.Remove(filepath.Join(dir, mldsaKeyFile)) }, map[string]string{"keys": "bad"}},
		"no store":          {func(dir string) error { return os.RemoveAll(filepath.Join(dir, storeDir)) }, map[string]string{"store": "bad recover"}},
		"damaged":           {write(damagedFile, "leaf 3\n"), map[string]string{"damage": "bad standing fsck"}},
		"a full disk":       {write(configFile, "origin: "+testOrigin+"\ndisk:\n  reserve: 1000000GiB\n"), map[string]string{"disk": "bad"}},
		"evidence": {func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "evidence"), 0o700), os.WriteFile(filepath.Join(dir, "evidence", "x.evidence.json"), nil, 0o600))
		}, map[string]string{"evidence": "warn standing verify"}},
		"a recovery left":          {func(dir string) error { return os.Mkdir(filepath.Join(dir, "store.recovering"), 0o700) }, map[string]string{"left over": "warn store.recovering"}},
		"an export that is behind": {func(dir string) error { return exported(dir, trust.Body{Origin: testOrigin, Size: 1}) }, map[string]string{"export": "warn has 1 of 2 leaves, since 25h"}},
		"an old one of all":        {func(dir string) error { return exported(dir, trust.Body{Origin: testOrigin, Size: 2}) }, map[string]string{"export": "ok has 2 of 2 leaves, since 25h"}},
		"no export any more":       {write(exportedFile, "/nowhere\n"), map[string]string{"export": "warn no such file"}},
		"a store in pieces":        {func(dir string) error { return os.RemoveAll(filepath.Join(dir, storeDir, "MANIFEST-000001")) }, map[string]string{"store": "bad standing fsck"}},
	} {
		dir := made(t)
		if err := c.breaks(dir); err != nil {
			t.Fatal(err)
		}
		expect(t, name, Doctor(t.Context(), dir, "http://127.0.0.1:1"), c.want)
	}
}

// exported leaves what a doctor sees of an export of the day before.
func exported(dir string, body trust.Body) error {
	out := filepath.Join(dir, "out")
	skey, err := readSecret(dir, logKeyFile)
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return err
	}
	signed, err := note.Sign(&note.Note{Text: body.String()}, signer)
	if err != nil {
		return err
	}
	file, then := filepath.Join(out, "checkpoint"), time.Now().Add(-25*time.Hour)
	return errors.Join(os.Mkdir(out, 0o700), os.WriteFile(file, signed, 0o600), os.Chtimes(file, then, then),
		os.WriteFile(filepath.Join(dir, exportedFile), []byte(out+"\n"), 0o600))
}

// TestDoctorCosigners looks at cosigners elsewhere: one agrees, one does not
// answer, one has another clock, one has seen more than the store holds.
func TestDoctorCosigners(t *testing.T) {
	dir := made(t)
	backup := filepath.Join(t.TempDir(), storeDir)
	if err := os.CopyFS(backup, os.DirFS(filepath.Join(dir, storeDir))); err != nil {
		t.Fatal(err)
	}
	grow(t, dir)
	state := filepath.Join(dir, witnessDir)
	files, err := os.ReadDir(state)
	if err != nil {
		t.Fatal(err)
	}
	var held string
	for _, f := range files {
		if b, err := os.ReadFile(filepath.Join(state, f.Name())); err == nil && len(b) > 0 {
			_, rest, _ := strings.Cut(string(b), "\ntime ")
			_, held, _ = strings.Cut(rest, "\n")
		}
	}
	late := time.Now().Add(-time.Hour)
	shows := func(code int, clock time.Time) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", clock.UTC().Format(http.TimeFormat))
			w.WriteHeader(code)
			_, _ = w.Write([]byte(held))
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	policy, err := os.ReadFile(filepath.Join(dir, policyFile))
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(policy), "quorum ")
	names := ""
	for i, url := range []string{shows(200, time.Now()), shows(500, time.Now()), shows(200, late)} {
		other := filepath.Join(t.TempDir(), "w")
		if err := InitWitness(other, fmt.Sprintf("w%d.example/w", i+1)); err != nil {
			t.Fatal(err)
		}
		vkey, err := os.ReadFile(filepath.Join(other, witnessVkey))
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("witness w%d %s %s/witness\n", i+1, strings.TrimSpace(string(vkey)), url)
		names += fmt.Sprintf(" w%d", i+1)
	}
	text += "group most 3 local" + names + "\nquorum most\n"
	if err := os.WriteFile(filepath.Join(dir, policyFile), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"cosigner w1": "ok it holds size 4", "cosigner w2": "warn 500", "cosigner w3": "ok it holds size 4",
		"clock": "bad ahead of that of w3", "quorum": "warn not without local, w1, w3", "store": "ok 4 leaves", "published": "bad",
	}
	expect(t, "a whole store", Doctor(t.Context(), dir, ""), want)
	if err := os.RemoveAll(filepath.Join(dir, storeDir)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, storeDir), os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	want["cosigner w1"], want["cosigner w3"] = "bad restored backup", "bad standingd recover"
	want["store"], want["published"] = "ok 2 leaves", "warn"
	expect(t, "a restored store", Doctor(t.Context(), dir, ""), want)
}
