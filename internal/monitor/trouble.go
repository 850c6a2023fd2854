package monitor

import (
	"errors"
	"fmt"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/catalogue"
)

// trouble is what is the matter with a log whose copy was synced with syncErr.
func (m *Monitor) trouble(origin string, syncErr error) []watch.Condition {
	c := watch.Condition{Key: "log",
		Ends: watch.Event{Kind: watch.Consistent, Severity: catalogue.SeverityNone,
			Text: "the log shows a tree again that extends what it has shown before"}}
	kind := kindOf(syncErr)
	key := fmt.Sprintf("%s log %s", origin, kind)
	switch {
	case kind != "":
		kept, err := m.evidence(key, syncErr)
		c.Holds = true
		c.Begins = watch.Event{Kind: kind, Severity: catalogue.SeverityAct, Evidence: kept, Text: fmt.Sprintf(
			"the log is not to be relied on: %v; keep the copy as it is, and tell the operators of its witnesses", syncErr)}
		if err != nil {
			c.Begins.Text += fmt.Sprintf("; the evidence could not be kept: %v", err)
		}
	case syncErr != nil:
		return nil // nothing is known of it
	default:
		for _, kind := range []watch.Kind{watch.Rollback, watch.SplitView, watch.FalseSeal} {
			m.over(fmt.Sprintf("%s log %s", origin, kind))
		}
	}
	return []watch.Condition{c}
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
		}
	}
	return ""
}
