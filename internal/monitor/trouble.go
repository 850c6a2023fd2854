package monitor

import (
	"errors"
	"fmt"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/catalogue"
)

// consistent ends the trouble with a log.
func consistent() watch.Event {
	return watch.Event{Kind: watch.Consistent, Severity: catalogue.SeverityNone,
		Text: "the log shows a tree again that extends what it has shown before"}
}

// trouble is what is the matter with a log whose copy was synced with syncErr.
func (m *Monitor) trouble(origin string, syncErr error) []watch.Condition {
	kind := kindOf(syncErr)
	switch {
	case kind != "":
		return []watch.Condition{m.contradiction(origin, kind, syncErr)}
	case syncErr != nil:
		return nil // nothing is known of it
	}
	m.over(origin)
	return []watch.Condition{{Key: "log", Ends: consistent()}, {Key: "rollback", Ends: consistent()}}
}

// contradiction is the condition that a log contradicts what it has shown before.
func (m *Monitor) contradiction(origin string, kind watch.Kind, syncErr error) watch.Condition {
	kept, err := m.evidence(origin+" "+string(kind), syncErr)
	c := watch.Condition{Key: "log", Holds: true, Ends: consistent(),
		Begins: watch.Event{Kind: kind, Severity: catalogue.SeverityAct, Evidence: kept, Text: fmt.Sprintf(
			"the log is not to be relied on: %v; keep the copy as it is, and tell the operators of its witnesses", syncErr)}}
	if kind == watch.Rollback {
		// A cache that is behind does that, too, for a while; it proves nothing.
		c.Key, c.Patience, c.Begins.Severity = "rollback", Patience, catalogue.SeverityCaution
		c.Begins.Text = fmt.Sprintf("the log has gone back, for %v: %v; it is a restored backup, or a cache in between serves what is old", Patience, syncErr)
	}
	if err != nil {
		c.Begins.Text += fmt.Sprintf("; what was shown could not be kept: %v", err)
	}
	return c
}

// kindOf is the kind of evidence that err is; "" if it is none.
func kindOf(err error) watch.Kind {
	if e, ok := errors.AsType[*mirror.EvidenceError](err); ok {
		switch e.Kind {
		case mirror.FalseSeal:
			return watch.FalseSeal
		case mirror.SplitView:
			return watch.SplitView
		case mirror.Rollback:
			return watch.Rollback
		case mirror.BrokenPromise:
			return watch.PromiseBroken
		}
	}
	return ""
}
