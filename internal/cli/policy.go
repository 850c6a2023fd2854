package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/trust"
)

// maxTrust bounds the trust file, in bytes; trust.Parse has the same limit.
const maxTrust = 512 << 10

// trustPath returns where the trust file is.
func (a *app) trustPath() (string, error) {
	if a.trustFile != "" {
		return a.trustFile, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", usage("no place for a trust file: %v", err).hinted("name one with --trust FILE")
	}
	return filepath.Join(dir, "standing", "trust.policy"), nil
}

// policy reads the trust file and the pins beside it.
func (a *app) policy() (*trust.Policy, error) {
	path, err := a.trustPath()
	if err != nil {
		return nil, err
	}
	data, err := a.readFile(path, maxTrust)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usage("no trust file at %s", path).hinted(`run "standing trust add URL|FILE", or name one with --trust FILE`)
	}
	if err != nil {
		return nil, err
	}
	p, err := trust.Parse(data)
	if err != nil {
		return nil, usage("%s: %w", path, err).hinted("get it again from whoever publishes it")
	}
	return a.pin(p, path)
}

// pin adds the pins beside the trust file at path, if there are some. Pins that
// cannot be read are never ignored: they are there to protect.
func (a *app) pin(p *trust.Policy, path string) (*trust.Policy, error) {
	path += ".pins"
	data, err := a.readFile(path, maxTrust)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	pinned, err := p.Pin(data)
	if err != nil {
		return nil, usage("%s: %w", path, err).hinted("correct it; it is a file of your own, beside the trust file")
	}
	return pinned, nil
}

// target is a log that the trust file lists, and where it is reached.
type target struct {
	trust.Log
	address string
}

// pickLog finds the log that name means: an origin, an address, or nothing if
// there is one log only. An address that the trust file does not give is taken
// if there is one log only: what comes from there is believed by its
// signatures, not by its address.
func pickLog(p *trust.Policy, name string) (target, error) {
	logs := p.Logs()
	isURL := strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://")
	if len(logs) == 1 && (name == "" || isURL) {
		return at(logs[0], name), nil
	}
	var origins []string
	for _, l := range logs {
		if name == l.Origin || isURL && sameURL(l.URL(), name) {
			return at(l, ""), nil
		}
		origins = append(origins, l.Origin)
	}
	if name == "" {
		return target{}, usage("the trust file lists %d logs", len(logs)).hinted("choose with --log: " + strings.Join(origins, ", "))
	}
	return target{}, usage("the trust file does not list log %.200q", name).hinted("it lists " + strings.Join(origins, ", "))
}

// at gives a log its address: the one named, that of the trust file, or what
// the origin says, which by C2SP's advice is a URL without scheme.
func at(l trust.Log, address string) target {
	if address == "" {
		address = l.URL()
	}
	if address == "" {
		address = "https://" + l.Origin
	}
	return target{l, address}
}

func sameURL(a, b string) bool {
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
}

// dial returns a client of a log.
func (t target) dial(cfg client.Config) (*client.Client, error) {
	cfg.Log = t.Log
	return client.New(t.address, cfg)
}

// seenPath is where the largest trees seen under a trust file are kept.
func seenPath(trustPath string) string { return trustPath + ".seen" }

// loadSeen reads the largest trees seen: bodies of checkpoints, one after the
// other. A file that cannot be read as such is no reason to believe less or
// more: it is reported and replaced.
func (a *app) loadSeen(trustPath string) (map[string]trust.Body, error) {
	seen := map[string]trust.Body{}
	data, err := a.readFile(seenPath(trustPath), maxTrust)
	if errors.Is(err, fs.ErrNotExist) {
		return seen, nil
	}
	if err != nil {
		return seen, err
	}
	lines := strings.SplitAfter(string(data), "\n")
	for len(lines) > 3 {
		body, err := trust.ParseBody(strings.Join(lines[:3], ""))
		if err != nil {
			return seen, fmt.Errorf("%s: %w", seenPath(trustPath), err)
		}
		seen[body.Origin] = body
		lines = lines[3:]
	}
	return seen, nil
}

// saveSeen stores b if it is the largest tree of its origin seen so far.
func saveSeen(trustPath string, p *trust.Policy, seen map[string]trust.Body, b trust.Body) error {
	if old, ok := seen[b.Origin]; ok && old.Size >= b.Size {
		return nil
	}
	seen[b.Origin] = b
	var text strings.Builder
	for _, l := range p.Logs() {
		if body, ok := seen[l.Origin]; ok {
			text.WriteString(body.String())
		}
	}
	return keyfile.WriteFile(seenPath(trustPath), []byte(text.String()), 0o644)
}
