package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/export"
	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/internal/tiles"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/trust"
)

// exportedFile names the directory of the last export, for Doctor.
const exportedFile = "exported"

// Export writes the log of the node in dir into the directory out. It reads the
// store, which no running node may have open, or else what a running node serves
// at url.
func Export(ctx context.Context, dir, out, url string, log *slog.Logger, progress func(done, size uint64)) (*export.Result, error) {
	res, err := exportTo(ctx, dir, out, url, log, progress)
	if err != nil {
		return nil, err
	}
	where, err := filepath.Abs(out)
	if err == nil {
		err = keyfile.WriteFile(filepath.Join(dir, exportedFile), []byte(where+"\n"), 0o644)
	}
	if err != nil {
		return nil, fmt.Errorf("all is in %s; remembering that: %w", out, err)
	}
	return res, nil
}

func exportTo(ctx context.Context, dir, out, url string, log *slog.Logger, progress func(done, size uint64)) (*export.Result, error) {
	write := func(policy *trust.Policy, file []byte, c *client.Client) (res *export.Result, err error) {
		note, err := c.Checkpoint(ctx)
		if err != nil {
			return nil, err
		}
		return export.Write(ctx, export.Config{
			Out: out, Checkpoint: note, Policy: policy, Now: time.Now(), TrustFile: file,
			Log: c, Withdrawals: c.WithdrawalList(), Progress: progress,
		})
	}
	if url == "" {
		var res *export.Result
		err := Read(ctx, dir, log, func(_ string, policy *trust.Policy, file []byte, c *client.Client) (err error) {
			res, err = write(policy, file, c)
			return err
		})
		return res, err
	}
	_, policy, file, err := readers(dir)
	if err != nil {
		return nil, err
	}
	c, err := client.New(url, client.Config{})
	if err != nil {
		return nil, &SetupError{err}
	}
	return write(policy, file, c)
}

// readers returns what those who read the log of the node in dir need: its
// origin and its trust file. The policy has all keys of the log.
func readers(dir string) (origin string, policy *trust.Policy, file []byte, err error) {
	cfg, err := ReadConfig(dir)
	if err != nil {
		return "", nil, nil, &SetupError{err}
	}
	vkeys, err := readVkeys(dir)
	if err == nil {
		policy, file, err = fullPolicy(dir, cfg.Origin, vkeys)
	}
	if err != nil {
		return "", nil, nil, &SetupError{err}
	}
	return cfg.Origin, policy, file, nil
}

// Read lets use read the store of the node in dir, which must not be running, as
// if it were served: c has its checkpoint, tiles and withdrawals, and file is the
// node's trust file.
func Read(ctx context.Context, dir string, log *slog.Logger, use func(origin string, policy *trust.Policy, file []byte, c *client.Client) error) (err error) {
	origin, policy, file, err := readers(dir)
	if err != nil {
		return err
	}
	if err := checkStore(dir); err != nil {
		return err
	}
	store, err := embedded.Open(ctx, embedded.Options{Dir: filepath.Join(dir, storeDir), Logger: log})
	if errors.Is(err, embedded.ErrInUse) {
		return fmt.Errorf("%w: export what the running node serves, with --from http://ITS-ADDRESS, or stop it first", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	root, err := store.Root(ctx)
	if err != nil {
		return err
	}
	p := prover.New(store, policy, new(mapstore.Cache))
	var failed error // what the handlers found
	fail := func(err error) { failed = errors.Join(failed, err) }
	mux := http.NewServeMux()
	mux.Handle("/", &tiles.Handler{
		List: tiles.Leaves{Backend: store, Signed: func() backend.Root { return root }}, Checkpoint: p.Checkpoint, Fail: fail,
	})
	mux.Handle("/withdrawals/", http.StripPrefix("/withdrawals", &tiles.Handler{List: prover.Withdrawals{Prover: p}, Fail: fail}))
	c, err := client.New("http://store.invalid", client.Config{HTTP: &http.Client{Transport: inProcess{mux}}, Attempts: 1})
	if err != nil {
		return err
	}
	err = use(origin, policy, file, c)
	return errors.Join(failed, err)
}
