package embedded

import (
	"context"
	"sync/atomic"

	"github.com/standing-log/standing/internal/backend"
)

// view lends a picture's side values.
type view struct {
	s     *Store
	pic   *picture
	err   error // why there is no picture
	ended atomic.Bool
}

// View implements backend.Backend. A view taken from a store that has failed
// or was closed answers with that error; so does one that outlives the store.
func (s *Store) View() backend.View {
	if err := s.enter(context.Background()); err != nil {
		return &view{s: s, err: err}
	}
	defer s.leave()
	return &view{s: s, pic: s.now.borrow()}
}

func (v *view) enter() error {
	if v.err != nil {
		return v.err
	}
	if err := v.s.enter(context.Background()); err != nil {
		return err
	}
	if v.ended.Load() {
		v.s.leave()
		return ErrClosed
	}
	return nil
}

func (v *view) Read(key []byte, fn func(value []byte) error) error {
	if err := v.enter(); err != nil {
		return err
	}
	defer v.s.leave()
	return v.pic.snap.Side(key, fn)
}

func (v *view) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	if err := v.enter(); err != nil {
		return err
	}
	defer v.s.leave()
	return v.pic.snap.ScanSide(from, to, fn)
}

// Close gives the picture back. Closing twice is harmless.
func (v *view) Close() error {
	if v.pic == nil || v.ended.Swap(true) {
		return nil
	}
	return v.s.now.release(v.pic)
}
