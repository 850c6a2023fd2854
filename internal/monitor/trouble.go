package monitor

import (
	"errors"
	"fmt"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/catalogue"
)

// conditions are what is the matter with a log whose copy was synced with syncErr.
func (m *Monitor) conditions(l Log, syncErr error) ([]watch.Condition, error) {
	trouble := watch.Condition{Key: "log",
		Ends: watch.Event{Kind: watch.Consistent, Severity: catalogue.SeverityNone,
			Text: "the log shows a tree again that extends what it has shown before"}}
	kind := kindOf(syncErr)
	switch {
	case kind != "":
		trouble.Holds = true
		trouble.Begins = watch.Event{Kind: kind, Severity: catalogue.SeverityAct, Text: fmt.Sprintf(
			"the log is not to be relied on: %v; keep the copy as it is, and tell the operators of its witnesses", syncErr)}
	case syncErr != nil:
		return nil, nil // nothing is known of it
	}
	return []watch.Condition{trouble}, nil
}

// kindOf is the kind of evidence that err is; "" if it is none.
func kindOf(err error) watch.Kind {
	if c, ok := errors.AsType[*mirror.ConflictError](err); ok {
		if c.Rollback {
			return watch.Rollback
		}
		return watch.SplitView
	}
	if _, ok := errors.AsType[*replay.FalseSealError](err); ok {
		return watch.FalseSeal
	}
	return ""
}
