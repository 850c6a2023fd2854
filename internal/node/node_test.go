package node

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/standing-log/standing/internal/api"
	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

const testOrigin = "log.example/node"

// made makes a node and returns its directory.
func made(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "node")
	if err := Init(t.Context(), dir, testOrigin, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, dir string) error {
	t.Helper()
	n, err := Open(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err == nil {
		err = n.Close()
	}
	return err
}

// TestInit makes a node: its files, who may read them, and what a reader needs.
func TestInit(t *testing.T) {
	dir := made(t)
	for name, mode := range map[string]os.FileMode{
		configFile: 0o644, logKeyFile: 0o600, mldsaKeyFile: 0o600, logVkeyFile: 0o644, mldsaVkeyFile: 0o644, policyFile: 0o644,
		registrarFile: 0o600, rootFile: 0o600, witnessFile: 0o600, witnessVkey: 0o644, storeDir: os.ModeDir, ".": os.ModeDir | 0o700,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if got := info.Mode(); got&mode != mode || got.IsRegular() && got.Perm() != mode {
			t.Errorf("%s has mode %v, want %v", name, got, mode)
		}
	}
	vkey, err := os.ReadFile(filepath.Join(dir, logVkeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := note.NewVerifier(strings.TrimSpace(string(vkey))); err != nil || v.Name() != testOrigin {
		t.Errorf("%s: %v", logVkeyFile, err)
	}
	policy, err := os.ReadFile(filepath.Join(dir, policyFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := torchwood.ParsePolicy(policy); err != nil {
		t.Errorf("torchwood: %v", err)
	}
	// The two keys that a node does not need.
	for _, name := range []string{rootFile, registrarFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if err := open(t, dir); err != nil {
		t.Error(err)
	}
}

// TestInitRefuses refuses what is no origin, and a directory that is in use;
// nothing is changed.
func TestInitRefuses(t *testing.T) {
	for _, origin := range []string{"", "https://log.example", "Log.example", "log example", strings.Repeat("a", 256)} {
		dir := filepath.Join(t.TempDir(), "node")
		if err := Init(t.Context(), dir, origin, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("origin %q is accepted", origin)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("origin %q: %s was made", origin, dir)
		}
	}
	dir := made(t)
	before, err := os.ReadFile(filepath.Join(dir, logKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := Init(t.Context(), dir, testOrigin, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a second time: %v", err)
	}
	if after, err := os.ReadFile(filepath.Join(dir, logKeyFile)); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key has changed: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Init(t.Context(), file, testOrigin, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file is accepted as a directory")
	}
}

// TestOpenRefuses spoils a node's files, one at a time. The error names the
// file, and nothing secret.
func TestOpenRefuses(t *testing.T) {
	write := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	mode := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Chmod(filepath.Join(dir, name), 0o640); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	with := "origin: " + testOrigin + "\n"
	for name, c := range map[string]struct {
		spoil func(*testing.T, string)
		want  string
	}{
		"no node":                   {remove(configFile), "standingd init"},
		"an unknown member":         {write(configFile, with+"batch: {intervall: 1s}\n"), "intervall"},
		"an unknown part":           {write(configFile, with+"bacth: {}\n"), "bacth"},
		"a number without unit":     {write(configFile, with+"batch: {interval: soon}\n"), configFile},
		"a negative batch":          {write(configFile, with+"batch: {max: -1}\n"), "batch.max"},
		"a batch too large":         {write(configFile, with+"batch: {max: 1000000}\n"), "batch.max"},
		"a negative interval":       {write(configFile, with+"batch: {interval: -1s}\n"), "batch.interval"},
		"a negative refresh":        {write(configFile, with+"cosign: {refresh: -1s}\n"), "cosign.refresh"},
		"an auditor nobody knows":   {write(configFile, with+"cosign: {auditors: [local, auditr]}\n"), `cosign.auditors: trust.policy has no cosigner "auditr"`},
		"an auditor by its key":     {write(configFile, with+"cosign: {auditors: [auditor.example/a]}\n"), `cosign.auditors: trust.policy has no cosigner "auditor.example/a"`},
		"not an origin":             {write(configFile, "origin: https://log.example\n"), "origin"},
		"no origin, but a log":      {write(configFile, "batch: {}\n"), "origin"},
		"another origin":            {write(configFile, "origin: log.example/other\n"), "log.example/other"},
		"a log key others can read": {mode(logKeyFile), "can be read by others"},
		"an ML-DSA key, too":        {mode(mldsaKeyFile), "can be read by others"},
		"a witness key, too":        {mode(witnessFile), "can be read by others"},
		"no log key":                {remove(logKeyFile), logKeyFile},
		"a malformed log key":       {write(logKeyFile, "PRIVATE+KEY+nonsense"), logKeyFile},
		"a malformed ML-DSA key":    {write(mldsaKeyFile, "PRIVATE+KEY+nonsense"), mldsaKeyFile},
		"a malformed witness key":   {write(witnessFile, "PRIVATE+KEY+nonsense"), witnessFile},
		"no trust file":             {remove(policyFile), policyFile},
		"a malformed trust file":    {write(policyFile, "quorum nobody\n"), policyFile},
		"no store":                  {remove(storeDir), "standingd recover --dir"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := made(t)
			c.spoil(t, dir)
			err := open(t, dir)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "nonsense") {
				t.Errorf("key material in %v", err)
			}
		})
	}
}

// TestOneProcess opens a node that is open.
func TestOneProcess(t *testing.T) {
	dir := made(t)
	n, err := Open(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir); err == nil || !strings.Contains(err.Error(), "running") {
		t.Errorf("a second process: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if err := open(t, dir); err != nil {
		t.Errorf("after the first has gone: %v", err)
	}
}

// statusOf asks a node and returns status and body.
func statusOf(t *testing.T, method, url, contentType string, send io.Reader) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, send)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestHealth asks for health before a quorum has answered, after, and when the
// writer has stopped.
func TestHealth(t *testing.T) {
	dir := made(t)
	n, err := Open(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if n.handler.ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("before: %d", w.Code)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	l, url := listen(t)
	n = start(t, dir, l)
	if err := n.WaitPublished(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if code, text := statusOf(t, "GET", url+"/healthz", "", nil); code != 200 || !strings.HasPrefix(text, "ok\ncosigner \"local\" (witness): cosigned size 2 at ") {
		t.Errorf("after: %d %s", code, text)
	}
	for _, name := range []string{"standing_published_size 2", "standing_signed_size", "standing_writer_halted 0", "go_goroutines"} {
		if text := get(t, url+"/metrics"); !strings.Contains(text, name) {
			t.Errorf("no %s in the metrics", name)
		}
	}
}

// TestGRPC speaks gRPC and REST on one port.
func TestGRPC(t *testing.T) {
	dir := made(t)
	l, url := listen(t)
	n := start(t, dir, l)
	if err := n.WaitPublished(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(strings.TrimPrefix(url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	log := standingv1.NewLogClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	info, err := log.GetLogInfo(ctx, &standingv1.GetLogInfoRequest{})
	if err != nil || info.Origin != testOrigin || info.PublishedSize < 2 {
		t.Fatalf("info: %v, %v", info, err)
	}
	enrol := enrolment(t, dir, testlog.NewParty("steward", 1))
	res, err := log.Submit(ctx, &standingv1.SubmitRequest{Envelope: enrol, Wait: true})
	if err != nil || res.Result.Index != 2 {
		t.Fatalf("submit: %v, %v", res, err)
	}
	// The same over REST, where it is the second time.
	body, err := json.Marshal(map[string]any{"envelope": enrol})
	if err != nil {
		t.Fatal(err)
	}
	code, text := statusOf(t, "POST", url+"/v1/entries", "application/json", bytes.NewReader(body))
	if code != 200 || !strings.Contains(text, `"duplicate":true`) {
		t.Errorf("REST: %d %s", code, text)
	}
	_, err = log.Submit(ctx, &standingv1.SubmitRequest{Envelope: make([]byte, api.MaxMessageBytes+1)})
	if got := status.Code(err); got != codes.ResourceExhausted {
		t.Errorf("a large message: %v", err)
	}
	if code, text := statusOf(t, "GET", url+"/checkpoint", "", nil); code != 200 || !strings.HasPrefix(text, testOrigin+"\n4\n") {
		t.Errorf("checkpoint: %d %s", code, text)
	}
}

// TestREST sends requests that are too large, or none.
func TestREST(t *testing.T) {
	dir := made(t)
	l, url := listen(t)
	n := start(t, dir, l)
	if err := n.WaitPublished(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	large := `{"envelope":"` + strings.Repeat("A", api.MaxMessageBytes) + `"}`
	many := `{"envelopes":[` + strings.Repeat(`"e30=",`, api.MaxBatch) + `"e30="]}`
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"too large":         {"POST", "/v1/entries", large, 413, "request-too-large"},
		"too many":          {"POST", "/v1/entries:batch", many, 413, "request-too-large"},
		"no JSON":           {"POST", "/v1/entries", "{", 400, "request-malformed"},
		"an unknown member": {"POST", "/v1/entries", `{"envelop":"e30="}`, 400, "request-malformed"},
		"no envelope":       {"POST", "/v1/entries", `{}`, 400, "envelope-malformed"},
		"another method":    {"DELETE", "/v1/entries", "", 405, "request-malformed"},
		"another path":      {"GET", "/v1/nothing", "", 404, ""},
		"no such file":      {"GET", "/log.key", "", 404, ""},
		"above":             {"GET", "/../log.key", "", 404, ""},
	} {
		code, text := statusOf(t, c.method, url+c.path, "application/json", strings.NewReader(c.body))
		if code != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%s: %d %.300s, want %d %s", name, code, text, c.status, c.want)
		}
	}
	root, err := n.store.Root(t.Context())
	if err != nil || root.Size != 2 {
		t.Errorf("the tree has size %d: %v", root.Size, err)
	}
}

// TestRestored starts a node whose store is older than its witness: it reads
// on, writes nothing, and says so.
func TestRestored(t *testing.T) {
	dir := made(t)
	backup := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(backup, os.DirFS(filepath.Join(dir, storeDir))); err != nil {
		t.Fatal(err)
	}
	grow(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, storeDir)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, storeDir), os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	l, url := listen(t)
	n := start(t, dir, l)
	for n.sequencer.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	if code, text := statusOf(t, "GET", url+"/healthz", "", nil); code != 503 || !strings.Contains(text, "read-only") || !strings.Contains(text, "mirror") {
		t.Errorf("health: %d %s", code, text)
	}
	if code, _ := statusOf(t, "GET", url+"/tile/entries/000.p/2", "", nil); code != 200 {
		t.Errorf("entries: %d", code)
	}
	if code, _ := statusOf(t, "GET", url+"/checkpoint", "", nil); code != 404 {
		t.Errorf("checkpoint: %d: nothing was published in this backup", code)
	}
	body, err := json.Marshal(map[string]any{"envelope": enrolment(t, dir, testlog.NewParty("other", 1))})
	if err != nil {
		t.Fatal(err)
	}
	if code, text := statusOf(t, "POST", url+"/v1/entries", "application/json", bytes.NewReader(body)); code != 503 || !strings.Contains(text, "read-only") {
		t.Errorf("submit: %d %s", code, text)
	}
}

// enrolment is the enrolment of a party by the node's registrar.
func enrolment(t *testing.T, dir string, party *testlog.Party) []byte {
	t.Helper()
	registrar, err := keyfile.Load(filepath.Join(dir, registrarFile))
	if err != nil {
		t.Fatal(err)
	}
	// The proofs of possession do not depend on who is the registrar.
	e, err := entry.Sign(party.Enrol(testOrigin, testlog.NewKey("any", false)).Payload, registrar)
	if err != nil {
		t.Fatal(err)
	}
	return e.Leaf
}

// grow runs the node until it has published an entry.
func grow(t *testing.T, dir string) {
	t.Helper()
	n, err := Open(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, url := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- n.Serve(ctx, l) }()
	body, err := json.Marshal(map[string]any{"envelope": enrolment(t, dir, testlog.NewParty("steward", 1)), "wait": true})
	if err != nil {
		t.Fatal(err)
	}
	if code, text := statusOf(t, "POST", url+"/v1/entries", "application/json", bytes.NewReader(body)); code != 200 {
		t.Errorf("submit: %d %s", code, text)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}
