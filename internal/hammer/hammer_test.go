package hammer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/daemon"
)

// TestMain makes this binary the programs that a hammer starts.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case "init", "serve":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		os.Exit(daemon.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
	case "--storage_dir":
		fmt.Fprintln(os.Stderr, counter(os.Args[4]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// counter answers as Tessera's server does, without a log: it counts.
func counter(address string) error {
	var n atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n.Add(1)-1)
	})
	mux.HandleFunc("GET /checkpoint", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "%s\n%d\nAAAA\n\n", origin, n.Load())
	})
	return http.ListenAndServe(address, mux)
}

// config is a small load, with this binary for every program.
func config(t *testing.T) Config {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Entries: 200, Batch: 1, Workers: 50, Rounds: 1, Readers: 4, ReadRate: 1000, API: "grpc", Standingd: self, Dir: t.TempDir(),
		Node: "batch: {interval: 5ms, first: 2ms}\ncosign: {grace: 1ms}", Text: t.Output(),
	}
}

// run runs cfg and returns its figures by log and name.
func run(t *testing.T, cfg Config) map[string]Figure {
	t.Helper()
	var out bytes.Buffer
	cfg.Figures = &out
	if err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	figures := map[string]Figure{}
	for line := range strings.Lines(out.String()) {
		var f Figure
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&f); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		figures[f.Log+" "+f.Figure] = f
	}
	if left, err := os.ReadDir(cfg.Dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return figures
}

// TestLoads runs each kind of load against a node.
func TestLoads(t *testing.T) {
	for _, test := range []struct {
		load string
		set  func(*Config)
	}{
		{"single", func(c *Config) { c.Reads = 50 * time.Millisecond }},
		{"batch 30", func(c *Config) { c.Batch, c.API, c.Growth = 30, "rest", true }},
		{"2000/s", func(c *Config) { c.Rate, c.API = 2000, "rest" }},
	} {
		t.Run(test.load, func(t *testing.T) {
			cfg := config(t)
			test.set(&cfg)
			got := run(t, cfg)
			for _, name := range []string{
				"sealed", "sealed_p50", "sealed_p99", "published", "disk", "disk_stopped",
				"map_proof", "bundle_besides", "verify_signatures", "verify_besides", "restart_killed", "restart_clean",
			} {
				if f := got["standing "+name]; f.Value <= 0 || f.Load != test.load || f.Entries != cfg.Entries {
					t.Errorf("%s: %+v", name, f)
				}
			}
			if f := got["standing entry"]; f.Value < 0.96*entrySize || f.Value > 1.02*entrySize {
				t.Errorf("entries have %v bytes", f.Value)
			}
			if _, ok := got["standing last_to_first"]; ok != (cfg.Batch == 1) {
				t.Errorf("tenths: %+v", got["standing last_to_first"])
			}
			for _, name := range []string{"grown", "new", "grown_to_new", "grown_cpu_entry"} {
				if f, ok := got["standing "+name]; ok != cfg.Growth || ok && f.Value <= 0 {
					t.Errorf("%s: %+v", name, f)
				}
			}
			for _, name := range []string{"bundles", "bundle_p99", "steady_bundles", "steady_bundle_p99"} {
				if f, ok := got["standing "+name]; ok != (cfg.Reads > 0) || ok && f.Value <= 0 {
					t.Errorf("%s: %+v", name, f)
				}
			}
		})
	}
}

// TestPeers alternates with a program that answers as Tessera does.
func TestPeers(t *testing.T) {
	cfg := config(t)
	cfg.Tessera, cfg.Rounds = cfg.Standingd, 2
	got := run(t, cfg)
	if f := got["tessera acked"]; f.Value <= 0 || f.Round != 2 {
		t.Errorf("%+v", f)
	}
	for _, name := range []string{"ratio sealed_to_acked", "ratio published"} {
		if got[name].Value <= 0 {
			t.Errorf("%s: %+v", name, got[name])
		}
	}
}

// TestRunning loads a log that runs already, twice.
func TestRunning(t *testing.T) {
	cfg := config(t)
	s, err := newStanding(t.Context(), &cfg, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	cfg.URL, cfg.Keys, cfg.Rounds = s.address, s.dir, 2
	got := run(t, cfg)
	if f := got["standing map_keys"]; f.Value < 4*float64(cfg.Entries) || f.Round != 2 {
		t.Errorf("%+v", f)
	}
	for _, name := range []string{"memory", "server_cpu", "disk", "restart_killed"} {
		if f, ok := got["standing "+name]; ok {
			t.Errorf("%+v, of a process that is not ours", f)
		}
	}
}

// TestEntrySize holds the entries to their size, once the components have names
// of ordinary length.
func TestEntrySize(t *testing.T) {
	for _, origin := range []string{"a.example", origin, "log.example/" + strings.Repeat("long/", 20)} {
		e := sign(origin, newIssuers("size"), 0, 600)
		for i, leaf := range e.leaves[550:] {
			if len(leaf) < entrySize-16 || len(leaf) > entrySize+16 {
				t.Errorf("%s: entry %d has %d bytes", origin, i, len(leaf))
			}
		}
	}
}

func TestConfig(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"few":       func(c *Config) { c.Entries = 0 },
		"batch":     func(c *Config) { c.Batch = 0 },
		"workers":   func(c *Config) { c.Workers = 0 },
		"rounds":    func(c *Config) { c.Rounds = 0 },
		"readers":   func(c *Config) { c.Readers = 0 },
		"rate":      func(c *Config) { c.Rate = -1 },
		"read rate": func(c *Config) { c.ReadRate = 0 },
		"api":       func(c *Config) { c.API = "soap" },
		"no keys":   func(c *Config) { c.URL = "http://127.0.0.1:1" },
		"growth":    func(c *Config) { c.Growth, c.URL, c.Keys = true, "http://127.0.0.1:1", "x" },
		"peer":      func(c *Config) { c.Tessera, c.Batch = "x", 2 },
		"standingd": func(c *Config) { c.Standingd = "/nonexistent" },
	} {
		cfg := config(t)
		spoil(&cfg)
		cfg.Figures = io.Discard
		if err := Run(t.Context(), cfg); err == nil {
			t.Errorf("%s: runs", name)
		}
	}
}

// TestCosigned alternates with a log that needs two of three witnesses and an
// auditor.
func TestCosigned(t *testing.T) {
	cfg := config(t)
	cfg.Cosigner = "nice -n 1"
	cfg.Cosigned, cfg.Node, cfg.Reads = true, "batch: {interval: 5ms, first: 2ms}", 0
	figures := run(t, cfg)
	for _, name := range []string{
		"standing published", "cosigned published", "cosigned published_p50", "cosigned auditor_cpu_entry", "cosigned auditor_memory_peak", "ratio cosigned",
	} {
		if figures[name].Value <= 0 {
			t.Errorf("%s is %v", name, figures[name].Value)
		}
	}
}
