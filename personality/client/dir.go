package client

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// NewDir returns a client of a log in a directory, as an export or any copy of
// its tiles lies there: it reads what a file server would serve. Of what Client
// does, only reading checkpoint, tiles and withdrawals makes sense.
func NewDir(dir string) (*Client, error) {
	if _, err := os.Stat(filepath.Join(dir, "checkpoint")); err != nil {
		return nil, fmt.Errorf("no log in %s: %w", dir, err)
	}
	files := http.NewFileTransportFS(os.DirFS(dir))
	return New("http://directory.invalid", Config{HTTP: &http.Client{Transport: files}, Attempts: 1})
}

// WithdrawalList returns a client of the tiles of the log's withdrawal list,
// which are a log's, but for the checkpoint.
func (c *Client) WithdrawalList() *Client { return &Client{c.base + "withdrawals/", c.cfg} }
