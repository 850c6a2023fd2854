package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint fetches the newest published checkpoint. Open it with trust.Policy
// before believing it.
func (c *Client) Checkpoint(ctx context.Context) ([]byte, error) {
	return c.repeat(ctx, http.MethodGet, "checkpoint", nil)
}

// Leaf is an entry with its place in the log.
type Leaf struct {
	Index uint64
	Data  []byte
}

// AllEntries reads the leaves of tree from start on out of the tiles, and
// checks each against the tree's root, which the caller has verified. After an
// error the iteration ends.
func (c *Client) AllEntries(ctx context.Context, tree tlog.Tree, start uint64) iter.Seq2[Leaf, error] {
	return c.list(ctx, c.base, tree, start)
}

// list does the same for a list whose tiles lie under base.
func (c *Client) list(ctx context.Context, base string, tree tlog.Tree, start uint64) iter.Seq2[Leaf, error] {
	return func(yield func(Leaf, error) bool) {
		reader, err := c.tileReader(base)
		if err != nil {
			yield(Leaf{}, err)
			return
		}
		for i, data := range reader.AllEntries(ctx, tree, int64(start)) {
			if !yield(Leaf{uint64(i), data}, nil) {
				return
			}
		}
		if err := reader.Err(); err != nil {
			yield(Leaf{}, fmt.Errorf("reading tiles of %s: %w", base, err))
		} else if err := ctx.Err(); err != nil {
			yield(Leaf{}, err)
		}
	}
}

// Entry reads one leaf of tree out of the tiles, and checks it against the
// tree's root, which the caller has verified.
func (c *Client) Entry(ctx context.Context, tree tlog.Tree, index uint64) ([]byte, error) {
	reader, err := c.tileReader(c.base)
	if err != nil {
		return nil, err
	}
	leaf, _, err := reader.Entry(ctx, tree, int64(index))
	if err != nil {
		return nil, fmt.Errorf("reading leaf %d of %s: %w", index, c.base, err)
	}
	return leaf, nil
}

// Tile fetches a tile of the log, or an entry bundle (L = -1), unverified. Of a
// partial one that is gone, because the log has grown, it fetches the full one
// and returns what was asked for.
func (c *Client) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	data, err := c.repeat(ctx, http.MethodGet, torchwood.TilePath(t), nil)
	if !errors.Is(err, errNotFound) || t.W == torchwood.TileWidth {
		return data, err
	}
	// SPEC: servers MAY delete partial tiles once the full tile is there;
	// clients then fetch that (tlog-tiles).
	full := t
	full.W = torchwood.TileWidth
	if data, err = c.repeat(ctx, http.MethodGet, torchwood.TilePath(full), nil); err != nil {
		return nil, err
	}
	return prefix(data, t)
}

// prefix returns the part of a full tile that the partial tile t has.
func prefix(data []byte, t tlog.Tile) ([]byte, error) {
	rest := data
	for range t.W {
		n := tlog.HashSize
		if t.L < 0 {
			entry, _, err := torchwood.ReadTileEntry(rest)
			if err != nil {
				return nil, fmt.Errorf("tile %s: %w", torchwood.TilePath(t), err)
			}
			n = 2 + len(entry)
		}
		if n > len(rest) {
			return nil, fmt.Errorf("tile %s is too short", torchwood.TilePath(t))
		}
		rest = rest[n:]
	}
	return data[:len(data)-len(rest)], nil
}

// tileReader returns a reader of its own, because torchwood's keeps its last
// error.
func (c *Client) tileReader(base string) (*torchwood.Client, error) {
	tiles, err := c.fetcher(base)
	if err != nil {
		return nil, err
	}
	return torchwood.NewClient(tiles)
}

func (c *Client) fetcher(base string) (torchwood.TileReader, error) {
	hc := *c.cfg.HTTP
	hc.Timeout = c.cfg.Timeout
	hc.Transport = bounded{hc.Transport}
	fetcher, err := torchwood.NewTileFetcher(base,
		torchwood.WithHTTPClient(&hc), torchwood.WithUserAgent(c.cfg.UserAgent), torchwood.WithConcurrencyLimit(8))
	if err != nil {
		return nil, err
	}
	return fetching{fetcher}, nil
}

// fetching marks failures to get a tile as ErrUnreachable, to tell them from
// tiles that are wrong.
type fetching struct{ *torchwood.TileFetcher }

func (f fetching) ReadTiles(ctx context.Context, tiles []tlog.Tile) ([][]byte, error) {
	data, err := f.TileFetcher.ReadTiles(ctx, tiles)
	if err != nil && !errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return data, err
}

// bounded ends an answer after MaxResponse bytes: torchwood reads all that
// comes. What is cut off then fails its hash.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	transport := b.RoundTripper
	if transport == nil {
		transport = http.DefaultTransport
	}
	resp, err := transport.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, MaxResponse), resp.Body}
	}
	return resp, err
}
