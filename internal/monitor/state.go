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
	s, err := watch.ReadState(cfg.State)
	if err != nil {
		return err
	}
	s.Interest = cfg.Interest.Digest()
	return s.Write(cfg.State)
}

func (m *Monitor) cursor(receiver, origin string) watch.Cursor {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Receivers[receiver][origin].Clone()
}

// keep writes the state with a cursor. If we crash before, what was told is told
// again.
func (m *Monitor) keep(receiver, origin string, c watch.Cursor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Set(receiver, origin, c)
	if err := m.state.Write(m.cfg.State); err != nil {
		return fmt.Errorf("remembering how far it is: %w", err)
	}
	return nil
}
