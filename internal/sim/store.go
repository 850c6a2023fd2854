package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/transparency-dev/merkle/proof"

	"github.com/standing-log/standing/internal/backend"
)

// Store is a process's backend.Backend on a Disk.
type Store struct {
	disk *Disk
	// fates decides what becomes of a call; nil: all goes well, at once.
	fates  func(op string) fate
	ended  chan struct{} // closed when the process has crashed
	failed atomic.Bool   // useless until it is opened again
	closed atomic.Bool
	faults atomic.Int64 // met so far
	// kill crashes the process.
	kill func(why string)
}

// NewStore opens d without faults.
func NewStore(d *Disk) *Store { return &Store{disk: d} }

var _ backend.Backend = (*Store)(nil)

// Errors of a store.
var (
	errCrashed = errors.New("the process has crashed")
	errFailed  = errors.New("the store has failed; open it again")
	errIO      = errors.New("input/output error")
	errClosed  = errors.New("store is closed")
)

// maxReply is where a reply of Leaves ends, in bytes.
const maxReply = 4 << 20

func (s *Store) enter(ctx context.Context) error {
	select {
	case <-s.ended:
		return errCrashed
	default:
	}
	switch {
	case s.closed.Load():
		return errClosed
	case s.failed.Load():
		return errFailed
	}
	return ctx.Err()
}

// wait lets time go by, unless the process ends first.
func (s *Store) wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return s.enter(ctx)
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ended:
		return errCrashed
	}
}

func (s *Store) fate(op string) fate {
	if s.fates == nil {
		return fate{}
	}
	return s.fates(op)
}

// fail makes the error of a fault.
func (s *Store) fail(f fate) error {
	s.faults.Add(1)
	if f.sticky {
		s.failed.Store(true)
	}
	return errIO
}

// write carries out one write as its fate will have it.
func (s *Store) write(ctx context.Context, op string, commit func() error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	f := s.fate(op)
	if err := s.wait(ctx, f.before); err != nil {
		return err
	}
	switch f.kind {
	case fails:
		return s.fail(f)
	case late:
		f.later(func() { _ = commit() })
		return s.fail(f)
	case crashBefore:
		s.kill(op + ", before")
		return errCrashed
	}
	if err := commit(); err != nil {
		return err
	}
	switch f.kind {
	case crashAfter:
		s.kill(op + ", after")
		return errCrashed
	case lost:
		_ = s.wait(context.Background(), f.after)
		return s.fail(f)
	}
	return s.wait(context.WithoutCancel(ctx), f.after)
}

// read begins a read.
func (s *Store) read(ctx context.Context, op string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	f := s.fate(op)
	if err := s.wait(ctx, f.before); err != nil {
		return err
	}
	if f.kind != well {
		return s.fail(f)
	}
	return nil
}

// Root implements backend.Backend.
func (s *Store) Root(ctx context.Context) (backend.Root, error) {
	if err := s.read(ctx, "root"); err != nil {
		return backend.Root{}, err
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	return s.disk.root(), nil
}

// Append implements backend.Backend.
func (s *Store) Append(ctx context.Context, first uint64, leaves [][]byte, side []backend.Write) (root backend.Root, err error) {
	for _, l := range leaves {
		if len(l) > backend.MaxLeaf {
			return root, fmt.Errorf("leaf of %d bytes", len(l))
		}
	}
	for _, w := range side {
		if len(w.Key) == 0 {
			return root, errors.New("empty side key")
		}
	}
	err = s.write(ctx, "append", func() (err error) {
		root, err = s.disk.append(first, leaves, side)
		return err
	})
	if err != nil {
		root = backend.Root{}
	}
	return root, err
}

// Swap implements backend.Backend.
func (s *Store) Swap(ctx context.Context, key, old, new []byte) error {
	if len(key) == 0 || new == nil {
		return errors.New("swapping in nothing")
	}
	return s.write(ctx, "swap "+string(key), func() error { return s.disk.swap(key, old, new) })
}

// Leaves implements backend.Backend.
func (s *Store) Leaves(ctx context.Context, first, n uint64) ([][]byte, error) {
	// One leaf is what the map function asks for: no time goes by.
	if err := s.read(ctx, "leaves"); err != nil {
		return nil, err
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	size := uint64(len(s.disk.leaves))
	if first >= size {
		return nil, beyond(first, size)
	}
	var out [][]byte
	total := 0
	for _, l := range s.disk.leaves[first : first+min(n, size-first)] {
		if total += len(l); total > maxReply && len(out) > 0 {
			break
		}
		out = append(out, bytes.Clone(l))
	}
	return out, nil
}

// Hashes implements backend.Backend.
func (s *Store) Hashes(ctx context.Context, level uint, first, n uint64) ([]backend.Hash, error) {
	if err := s.read(ctx, "hashes"); err != nil {
		return nil, err
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	var row []Hash
	if level < uint(len(s.disk.nodes)) {
		row = s.disk.nodes[level]
	}
	if first > uint64(len(row)) || n > uint64(len(row))-first {
		return nil, beyond(first, uint64(len(row)))
	}
	return append([]Hash(nil), row[first:first+n]...), nil
}

// InclusionProof implements backend.Backend.
func (s *Store) InclusionProof(ctx context.Context, index, size uint64) ([]backend.Hash, error) {
	if err := s.read(ctx, "inclusion"); err != nil {
		return nil, err
	}
	if last := s.disk.size(); size > last || index >= size {
		return nil, beyond(index, last)
	}
	nodes, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, err
	}
	return s.disk.prove(nodes)
}

// ConsistencyProof implements backend.Backend.
func (s *Store) ConsistencyProof(ctx context.Context, from, to uint64) ([]backend.Hash, error) {
	if err := s.read(ctx, "consistency"); err != nil {
		return nil, err
	}
	if last := s.disk.size(); to > last || from > to {
		return nil, beyond(to, last)
	}
	if from == 0 || from == to {
		return nil, nil
	}
	nodes, err := proof.Consistency(from, to)
	if err != nil {
		return nil, err
	}
	return s.disk.prove(nodes)
}

func beyond(is, size uint64) error {
	return fmt.Errorf("%w: %d, there are %d", backend.ErrOutOfRange, is, size)
}

// Close implements backend.Backend.
func (s *Store) Close() error {
	s.closed.Store(true)
	return nil
}

// view is the side store in one version.
type view struct {
	s       *Store
	version int
	err     error // why there is none
}

// View implements backend.Backend.
func (s *Store) View() backend.View {
	err := s.enter(context.Background())
	if err == nil {
		if f := s.fate("view"); f.kind != well {
			err = s.fail(f)
		}
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	return &view{s, s.disk.version, err}
}

func (v *view) enter() error {
	if v.err != nil {
		return v.err
	}
	return v.s.enter(context.Background())
}

func (v *view) Read(key []byte, fn func(value []byte) error) error {
	if err := v.enter(); err != nil {
		return err
	}
	v.s.disk.mu.Lock()
	value := v.s.disk.get(string(key), v.version)
	v.s.disk.mu.Unlock()
	return fn(value)
}

func (v *view) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	if err := v.enter(); err != nil {
		return err
	}
	for _, p := range v.s.disk.scan(string(from), string(to), v.version) {
		if !fn([]byte(p.key), p.value) {
			break
		}
	}
	return nil
}

func (v *view) Close() error {
	if v.err == nil {
		v.err = errClosed
	}
	return nil
}
