package check_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser opens pages in Chromium, with all its requests going to a proxy that
// notes them and answers none.
type browser struct {
	t     *testing.T
	path  string
	proxy net.Listener

	mu       sync.Mutex
	requests []string
}

// newBrowser finds Chromium, or installs Debian's package. It returns nil, and
// says so, if neither can be.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if err = install("chromium"); err == nil {
			path, err = exec.LookPath("chromium")
		}
	}
	if err != nil {
		t.Logf("chromium is not here and Debian's package cannot be installed (%v): checking less, without it", err)
		return nil
	}
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, path: path, proxy: proxy}
	var serving sync.WaitGroup
	serving.Go(b.serve)
	t.Cleanup(func() { proxy.Close(); serving.Wait() })
	return b
}

func install(pkg string) error {
	if os.Geteuid() != 0 {
		return errors.New("only root can install it")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	apt := func(args ...string) error {
		options := []string{"-qq", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::Retries=1", "-o", "DPkg::Lock::Timeout=120"}
		cmd := exec.CommandContext(ctx, "apt-get", append(options, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		return cmd.Run()
	}
	get := []string{"install", "-y", "--no-install-recommends", pkg}
	if apt(get...) == nil {
		return nil
	}
	// A fresh machine knows no packages yet.
	if err := apt("update"); err != nil {
		return err
	}
	return apt(get...)
}

// browsersOwn are requests that Chromium makes whatever it shows: for the time,
// for updates, for an account.
var browsersOwn = regexp.MustCompile(`^[A-Z]+ (http://)?[a-z0-9.-]+\.(google|googleapis)\.com[:/]`)

// serve notes the first line of each request that a page may have caused.
func (b *browser) serve() {
	for {
		c, err := b.proxy.Accept()
		if err != nil {
			return
		}
		head := make([]byte, 300)
		n, _ := c.Read(head)
		c.Close()
		line, _, _ := strings.Cut(string(head[:n]), "\r\n")
		if browsersOwn.MatchString(line) {
			continue
		}
		b.mu.Lock()
		b.requests = append(b.requests, line)
		b.mu.Unlock()
	}
}

// open opens a page and does with it what the flags say. It returns what is
// printed, what the console says, and the requests for which the page is to
// blame.
func (b *browser) open(page []byte, flags ...string) (out string, console, requests []string) {
	b.t.Helper()
	dir := b.t.TempDir()
	file := filepath.Join(dir, "page.html")
	if err := os.WriteFile(file, page, 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	b.requests = nil
	b.mu.Unlock()
	args := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--user-data-dir=" + filepath.Join(dir, "profile"),
		"--proxy-server=http://" + b.proxy.Addr().String(), "--proxy-bypass-list=<-loopback>"}, flags...)
	cmd := exec.CommandContext(b.t.Context(), b.path, append(args, "file://"+file)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, 10*time.Second
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		b.t.Fatalf("chromium: %v\n%s", err, &stderr)
	}
	for line := range strings.Lines(stderr.String()) {
		if strings.Contains(line, "CONSOLE") {
			console = append(console, line)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return stdout.String(), console, b.requests
}

// TestBrowser: the page shows its tables and prints, complains of nothing and
// asks for nothing, even if all in it is hostile.
func TestBrowser(t *testing.T) {
	b := newBrowser(t)
	if b == nil {
		return // TestHTML and TestHostileHTML have looked at every tag
	}
	s := newScene(t)
	s.fill()
	ours := page(t, s.judge())
	for name, html := range map[string][]byte{"ours": ours, "hostile": page(t, hostile())} {
		dom, console, requests := b.open(html, "--dump-dom")
		if strings.Count(dom, "<table") < 3 || !strings.Contains(dom, "<title>Attestations checked</title>") {
			t.Errorf("%s: the page is not there: %.1000s", name, dom)
		}
		if len(console) > 0 || len(requests) > 0 {
			t.Errorf("%s: console %q, requests %q", name, console, requests)
		}
	}
	file := filepath.Join(t.TempDir(), "page.pdf")
	_, console, requests := b.open(ours, "--print-to-pdf="+file)
	pdf, err := os.ReadFile(file)
	if err != nil || !bytes.HasPrefix(pdf, []byte("%PDF-")) || len(pdf) < 10_000 || len(console) > 0 || len(requests) > 0 {
		t.Errorf("printed: %d bytes, %v, console %q, requests %q", len(pdf), err, console, requests)
	}
	// The same browser tells where there is something to tell.
	if _, console, requests := b.open([]byte("<img src=http://leak.example/x><script>no()</script>"), "--dump-dom"); len(console) == 0 || len(requests) == 0 {
		t.Errorf("an image from elsewhere and a script that fails: console %q, requests %q", console, requests)
	}
}
