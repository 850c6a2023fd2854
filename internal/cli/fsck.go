package cli

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/altreader"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
)

func (a *app) fsckCommand() *cobra.Command {
	var how fsckHow
	cmd := command("fsck URL|DIR", `
Reads a whole log and recomputes everything: the tree, what became of every entry,
and every seal. With a URL, the newest checkpoint is opened under your trust file
first, and the withdrawal list is read as it is served. With the directory of a
node that is not running, the store is read, and the state kept in it is compared
as well. A directory into which a log was exported is read as its URL would be.
Stops at the first bad thing and names it. If that is a false seal, leaves are read
once more, and the evidence file is written that proves it to others (standing verify);
likewise if the log shows another tree than the copy of it on this machine has.

  --oracle   recompute with a second implementation, which was written from the
             specification alone; it reads the leaves and nothing else
  --hashes   recompute the tree alone: every leaf is there, byte for byte, and
             the last one is the seal of all before it; fast, for mirrors

Exit code 0 if all is as it should be, 4 if something is not, 3 at
an entry under a map function that this program does not know.`,
		cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
			if strings.Contains(args[0], "://") {
				return a.fsckURL(cmd.Context(), args[0], how)
			}
			if c, err := client.NewDir(args[0]); err == nil {
				return a.fsckExport(cmd.Context(), args[0], c, how)
			}
			return a.fsckDir(cmd.Context(), args[0], how)
		})
	cmd.Flags().BoolVar(&how.oracle, "oracle", false, "")
	cmd.Flags().BoolVar(&how.hashes, "hashes", false, "")
	cmd.MarkFlagsMutuallyExclusive("oracle", "hashes")
	return cmd
}

// fsckHow says what is recomputed; the zero value is everything.
type fsckHow struct{ oracle, hashes bool }

func (a *app) fsckDir(ctx context.Context, dir string, how fsckHow) error {
	quietLog := slog.New(slog.DiscardHandler)
	var r replayed
	var err error
	if how.hashes {
		r.origin, r.size, err = node.FsckHashes(ctx, dir, quietLog, a.leaves)
	} else if how.oracle {
		var l *altreader.Log
		if r.origin, l, err = node.FsckOracle(ctx, dir, quietLog, a.leaves); err == nil {
			r.size, r.stats = l.Size(), replay.Stats(l.Stats())
		}
	} else {
		var l *replay.Log
		if r.origin, l, err = node.Fsck(ctx, dir, quietLog, a.leaves); err == nil {
			r.size, r.stats = l.Size(), l.Stats()
		}
	}
	a.progress("")
	if err == nil {
		return a.fsckResult(r, nil, how)
	}
	switch {
	case errors.Is(err, embedded.ErrInUse), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), ctx.Err() != nil, r.origin == "":
		return cannotTell("%w", err).hinted("name the directory of a node that is stopped, or the URL of one that runs")
	}
	if isLie(err) {
		if readErr := node.Read(ctx, dir, quietLog, func(origin string, policy *trust.Policy, _ []byte, c *client.Client) error {
			a.proveLie(ctx, c, mirror.Config{Origin: origin, Policy: policy, Now: a.now})
			return nil
		}); readErr != nil {
			a.note("standing: the evidence could not be made: %v", readErr)
		}
	}
	return badLog(err, "do not let the node write before this is understood; keep a copy of it as it is, and compare it with a mirror")
}

// badLog says what is wrong with a log, and what to do.
func badLog(err error, hint string) error {
	var unknown *altreader.FunctionError
	if errors.Is(err, mapfn.ErrFunction) || errors.As(err, &unknown) {
		return cannotTell("%w", err).hinted("read the log with a newer version of this program")
	}
	return &failure{code: exitEvidence, err: err, hint: hint}
}

func (a *app) fsckURL(ctx context.Context, url string, how fsckHow) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	l, err := pickLog(policy, url)
	if err != nil {
		return err
	}
	c, err := l.dial(client.Config{})
	if err != nil {
		return err
	}
	return a.fsckTiles(ctx, url, c, policy, how)
}

func (a *app) fsckExport(ctx context.Context, dir string, c *client.Client, how fsckHow) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	return a.fsckTiles(ctx, dir, c, policy, how)
}

// fsckTiles checks the log that c reads at a place.
func (a *app) fsckTiles(ctx context.Context, place string, c *client.Client, policy *trust.Policy, how fsckHow) error {
	signed, err := c.Checkpoint(ctx)
	if err != nil {
		return err
	}
	cp, err := policy.Open(signed, a.now())
	if errors.Is(err, trust.ErrQuorum) || errors.Is(err, trust.ErrUnknownLog) {
		return cannotTell("checkpoint of %s: %w", place, err).hinted("wait until the cosigners answer, or correct your trust file")
	}
	if err != nil {
		return badLog(err, "do not rely on what is there; compare it with another copy of the log")
	}
	if err := a.compareCopy(ctx, c, cp.Origin, signed, policy); err != nil {
		return &failure{code: exitEvidence, err: err, hint: evidenceHint(cp.Origin, policy)}
	}
	tree := tlog.Tree{N: int64(cp.Size), Hash: tlog.Hash(cp.Root)}
	r := replayed{origin: cp.Origin, size: cp.Size}
	if how.hashes {
		err = replay.Hashes(ctx, remote{c, tree}, cp.Origin, cp.Size, cp.Root, func(done uint64) { a.leaves(done, cp.Size) })
		a.progress("")
	} else if how.oracle {
		r.stats, err = a.oracleURL(ctx, remote{c, tree}, cp)
	} else {
		r.stats, err = a.replayURL(ctx, remote{c, tree}, cp)
	}
	if err != nil {
		if client.Temporary(err) || ctx.Err() != nil {
			return err
		}
		if !isLie(err) {
			return badLog(err, "do not rely on what is there; compare it with another copy of the log, and ask its operator")
		}
		a.proveLie(ctx, c, mirror.Config{Origin: cp.Origin, Policy: policy, Now: a.now})
		return badLog(err, evidenceHint(cp.Origin, policy))
	}
	return a.fsckResult(r, cp, how)
}

func (a *app) replayURL(ctx context.Context, src remote, cp *trust.Checkpoint) (replay.Stats, error) {
	l, err := replay.Fsck(ctx, src, cp.Origin, cp.Size, cp.Root,
		func(l *replay.Log, _ replay.Outcome) { a.leaves(l.Size(), cp.Size) })
	a.progress("")
	if err == nil {
		err = a.checkWithdrawals(ctx, src.c, l.Seal())
	}
	return l.Stats(), err
}

func (a *app) oracleURL(ctx context.Context, src remote, cp *trust.Checkpoint) (replay.Stats, error) {
	l, err := altreader.Fsck(ctx, src.Leaves(ctx, cp.Size), cp.Origin, cp.Size, cp.Root,
		func(done uint64) { a.leaves(done, cp.Size) })
	a.progress("")
	return replay.Stats(l.Stats()), err
}

// leaves shows progress, now and then.
func (a *app) leaves(done, size uint64) {
	if done%1024 == 0 {
		a.progress("%d of %d leaves", done, size)
	}
}

// checkWithdrawals reads the withdrawal list that the log serves; the replay
// has found the root in the seal right.
func (a *app) checkWithdrawals(ctx context.Context, c *client.Client, s *seal.Seal) error {
	done := 0
	for _, err := range c.Withdrawals(ctx, s, tlog.Tree{}) {
		if err != nil {
			return err
		}
		if done++; done%1024 == 0 {
			a.progress("%d of %d withdrawals", done, s.Withdrawals)
		}
	}
	a.progress("")
	return nil
}

// remote reads a log through its tiles, under a root that was verified.
type remote struct {
	c    *client.Client
	tree tlog.Tree
}

// Leaves implements replay.Source.
func (r remote) Leaves(ctx context.Context, _ uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for leaf, err := range r.c.AllEntries(ctx, r.tree, 0) {
			if !yield(leaf.Data, err) || err != nil {
				return
			}
		}
	}
}

// Leaf implements replay.Source.
func (r remote) Leaf(ctx context.Context, index uint64) ([]byte, error) {
	return r.c.Entry(ctx, r.tree, index)
}

// replayed is what came of a log in which nothing is bad.
type replayed struct {
	origin string
	size   uint64
	stats  replay.Stats
}

func (a *app) fsckResult(r replayed, cp *trust.Checkpoint, how fsckHow) error {
	out := map[string]any{"log": r.origin, "size": r.size, "exit": exitStands}
	if how.hashes {
		a.say("%s: %d leaves read, and the tree is what it should be; what they mean was not recomputed", r.origin, r.size)
	} else {
		s := r.stats
		a.say("%s: %d leaves read, and the tree, every seal and the state are what they should be", r.origin, r.size)
		a.say("  %d entries, %d seals, %d ignored leaves, %d stray seals", s.Entries, s.Seals, s.Ignored, s.Strays)
		out["entries"], out["seals"], out["ignored"], out["strays"] = s.Entries, s.Seals, s.Ignored, s.Strays
	}
	if cp != nil && cp.Witnessed {
		a.say("  cosigned by a quorum, as of %s", clock(cp.Time))
		out["asOf"] = cp.Time
	}
	a.result(out)
	return nil
}
