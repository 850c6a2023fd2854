package hammer

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/personality/client"
)

// tessera is Tessera's POSIX server (cmd/conformance/posix) as it is shipped. It
// takes any bytes: no signature, no schema, no status.
type tessera struct {
	dir    string
	proc   *process
	url    string
	http   *http.Client
	reader *client.Client
	*entries
}

func newTessera(ctx context.Context, cfg *Config, dir string) (*tessera, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	skey, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, err
	}
	t := &tessera{dir: filepath.Join(dir, "tessera"), url: "http://" + address, http: pool(cfg.Workers)}
	if t.reader, err = client.New(t.url, client.Config{HTTP: t.http, Attempts: 1}); err != nil {
		return nil, err
	}
	t.proc, err = start(ctx, []string{"LOG_PRIVATE_KEY=" + skey}, []string{cfg.Tessera}, "--storage_dir", t.dir, "--listen", address)
	if err != nil {
		return nil, err
	}
	for {
		if _, err := t.published(ctx); err == nil {
			return t, nil
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return nil, errors.Join(fmt.Errorf("tessera does not serve: %w", err), t.close(), t.proc.stderr.err())
		}
	}
}

// freeAddress is one that nobody listens on: the server cannot choose for
// itself and say which.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (t *tessera) take(e *entries) { t.entries = e }

// add posts an entry, and returns the size of the smallest tree that holds it.
func (t *tessera) add(ctx context.Context, i int) (uint64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+"/add", bytes.NewReader(t.leaves[i]))
	if err != nil {
		return 0, err
	}
	resp, err := t.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if err != nil {
		return 0, err
	}
	index, err := strconv.ParseUint(string(b), 10, 64)
	if resp.StatusCode != http.StatusOK || err != nil {
		return 0, fmt.Errorf("tessera answered HTTP %d, %.200q", resp.StatusCode, b)
	}
	return index + 1, nil
}

func (t *tessera) published(ctx context.Context) (uint64, error) { return size(ctx, t.reader) }

func (t *tessera) process() *process { return t.proc }

func (t *tessera) besides(*report) {}

func (t *tessera) store() string { return t.dir }

// complete has nothing to check: equal bytes share an index, and there are none.
func (t *tessera) complete(uint64) error { return nil }

func (t *tessera) close() error { return t.proc.end(syscall.SIGKILL) }

// size is the second line of the published checkpoint.
func size(ctx context.Context, c *client.Client) (uint64, error) {
	cp, err := c.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	lines := strings.SplitN(string(cp), "\n", 3)
	if len(lines) < 3 {
		return 0, fmt.Errorf("checkpoint %.100q has no size", cp)
	}
	return strconv.ParseUint(lines[1], 10, 64)
}
