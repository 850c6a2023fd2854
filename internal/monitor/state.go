package monitor

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/standing-log/standing/internal/watch"
)

// missing says for which receivers in which logs a state has no cursor.
func missing(s *watch.State, cfg Config) (out []string) {
	for _, name := range cfg.names() {
		for _, l := range cfg.Logs {
			if _, ok := s.Receivers[name][l.Origin]; !ok {
				out = append(out, fmt.Sprintf("%s was told of %s", name, l.Origin))
			}
		}
	}
	return out
}

// Begin makes the cursors that are missing: where is watch.BeginAll or
// watch.BeginNow. It fails with ErrBegun if none is.
func Begin(cfg Config, where string) error {
	unlock, err := watch.LockState(cfg.State)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := watch.ReadState(cfg.State)
	if errors.Is(err, fs.ErrNotExist) {
		s, err = watch.NewState(cfg.Interest), nil
	}
	if err != nil {
		return err
	}
	if s.Interest != cfg.Interest.Digest() {
		return fmt.Errorf("%w: %s", ErrOtherInterest, cfg.State)
	}
	if len(missing(s, cfg)) == 0 {
		return fmt.Errorf("%w: %s says how far", ErrBegun, cfg.State)
	}
	for _, to := range cfg.Receivers {
		for _, l := range cfg.Logs {
			if _, ok := s.Receivers[to.Name][l.Origin]; !ok {
				s.Set(to.Name, l.Origin, watch.Cursor{Begin: where})
			}
		}
	}
	return s.Write(cfg.State)
}

// Replay has everything told again from a leaf on: to one receiver of cfg or, if
// name is empty, to all, in the logs of cfg.
func Replay(cfg Config, name string, from uint64) error {
	unlock, err := watch.LockState(cfg.State)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := watch.ReadState(cfg.State)
	if err != nil {
		return err
	}
	if name != "" && !slices.Contains(cfg.names(), name) {
		return fmt.Errorf("%w: there is no receiver %.60q", watch.ErrReplay, name)
	}
	for _, to := range cfg.names() {
		for _, l := range cfg.Logs {
			if name != "" && name != to {
				continue
			}
			c, ok := s.Receivers[to][l.Origin]
			if !ok || c.Begin != "" || from > c.Size {
				return fmt.Errorf("%w: leaf %d of %s, of which %s was told up to leaf %d", watch.ErrReplay, from, l.Origin, to, c.Size)
			}
			c.Replay = &from
			s.Set(to, l.Origin, c)
		}
	}
	return s.Write(cfg.State)
}

// Change makes a state that is of another interest one of this. What is of
// interest now and was not before is told of from now on.
func Change(cfg Config) error {
	unlock, err := watch.LockState(cfg.State)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := watch.ReadState(cfg.State)
	if err != nil {
		return err
	}
	s.Interest = cfg.Interest.Digest()
	return s.Write(cfg.State)
}

// read reads the state, which somebody may have changed: to have something told
// again, say.
func (m *Monitor) read() (*watch.State, error) {
	s, err := watch.ReadState(m.cfg.State)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: there is no %s", ErrNotBegun, m.cfg.State)
	case err == nil && s.Interest != m.cfg.Interest.Digest():
		return nil, fmt.Errorf("%w: %s", ErrOtherInterest, m.cfg.State)
	}
	return s, err
}

func (m *Monitor) cursor(receiver, origin string) (c watch.Cursor, err error) {
	s, err := m.read()
	if err != nil {
		return c, err
	}
	c, ok := s.Receivers[receiver][origin]
	if !ok {
		err = fmt.Errorf("%w: %s does not say how far %s was told of %s", ErrNotBegun, m.cfg.State, receiver, origin)
	}
	return c, err
}

// keep writes a cursor into the state. If we crash before, what was told is told
// again. What was asked to be told again since then, in place of asked, stays
// asked for.
func (m *Monitor) keep(receiver, origin string, c watch.Cursor, asked *uint64) error {
	unlock, err := watch.LockState(m.cfg.State)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := m.read()
	if err == nil {
		if now := s.Receivers[receiver][origin].Replay; now != nil && (asked == nil || *asked != *now) {
			c.Replay = now
		}
		s.Set(receiver, origin, c)
		err = s.Write(m.cfg.State)
	}
	if err != nil {
		return fmt.Errorf("remembering how far it is: %w", err)
	}
	return nil
}
