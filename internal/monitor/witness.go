package monitor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/trust"
)

// Patience is how long a witness may show nothing, or a tree of which the log
// shows no proof, before it is told. To start a witness again, or to move it to a
// new machine, takes less, and hurts nobody as long as the others make a quorum;
// and it is far less than the day after which readers call the log stale, so that
// somebody can do something before they do.
const Patience = time.Hour

// witnessTimeout bounds the time that a witness is waited for.
const witnessTimeout = 10 * time.Second

// witness is an address at which cosigners of the policy answer: one that has
// several keys shows all its cosignatures on one checkpoint.
type witness struct {
	name  string // of the first of them, in the trust file
	names []string
	url   string
}

// witnesses returns those of the policy that can be asked.
func witnesses(p *trust.Policy) (out []witness) {
	for _, c := range p.Cosigners() {
		u, err := url.Parse(c.URL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" {
			continue
		}
		if i := slices.IndexFunc(out, func(w witness) bool { return w.url == c.URL }); i >= 0 {
			out[i].names = append(out[i].names, c.Name)
			continue
		}
		out = append(out, witness{c.Name, []string{c.Name}, c.URL})
	}
	return out
}

// newHTTP returns the client with which witnesses are asked.
func newHTTP() *http.Client {
	return &http.Client{
		Timeout: witnessTimeout,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: 90 * time.Second,
			MaxResponseHeaderBytes: 16 << 10, DisableCompression: true},
		// A redirect would let a witness send our requests anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// fetch asks a witness for the newest checkpoint of a log that it has cosigned.
//
// SPEC: tlog-witness: "GET <monitoring prefix>/<hex origin hash>/checkpoint".
func (m *Monitor) fetch(ctx context.Context, w witness, origin string) ([]byte, error) {
	address := fmt.Sprintf("%s/%x/checkpoint", strings.TrimSuffix(w.url, "/"), sha256.Sum256([]byte(origin)))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := m.cfg.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	note, err := io.ReadAll(io.LimitReader(resp.Body, trust.MaxCheckpoint+1))
	if err == nil && len(note) > trust.MaxCheckpoint {
		err = fmt.Errorf("larger than %d bytes", trust.MaxCheckpoint)
	}
	return note, err
}

// seen verifies what a witness shows, and returns it without the lines that
// nobody has verified.
func (m *Monitor) seen(w witness, origin string, note []byte) ([]byte, error) {
	cp, err := m.cfg.Policy.OpenLogSigned(note)
	if err != nil {
		return nil, err
	}
	if cp.Origin != origin {
		return nil, fmt.Errorf("it is of %.100q", cp.Origin)
	}
	text := cp.Body.String() + "\n" + strings.Join(cp.LogLines, "\n") + "\n"
	newest, cosigned := int64(0), false
	for _, c := range cp.Cosignatures {
		text += c.Line + "\n"
		if slices.Contains(w.names, c.Name) {
			newest, cosigned = max(newest, c.Unix), true
		}
	}
	if !cosigned {
		return nil, errors.New("it does not bear a cosignature of this witness")
	}
	if age := m.cfg.Now().Sub(time.Unix(newest, 0)); newest > 0 && age > m.cfg.MaxAge {
		return nil, fmt.Errorf("what it cosigned last is %v old", age.Truncate(time.Second))
	}
	return []byte(text), nil
}

// compare compares what every witness holds of a log with the copy. The error is
// what contradicts it.
func (m *Monitor) compare(ctx context.Context, l Log, c *mirror.Mirror) ([]watch.Condition, error) {
	found := make([][]watch.Condition, len(m.witnesses))
	errs := make([]error, len(m.witnesses))
	var all sync.WaitGroup
	for i, w := range m.witnesses {
		all.Go(func() { found[i], errs[i] = m.compareOne(ctx, w, l, c) })
	}
	all.Wait()
	return slices.Concat(found...), errors.Join(errs...)
}

// compareOne returns what is the matter with one witness, or what the log has
// shown it.
func (m *Monitor) compareOne(ctx context.Context, w witness, l Log, c *mirror.Mirror) ([]watch.Condition, error) {
	note, err := m.fetch(ctx, w, l.Origin)
	if err == nil {
		note, err = m.seen(w, l.Origin, note)
	}
	if ctx.Err() != nil {
		return nil, nil
	}
	out := []watch.Condition{silent(w, err)}
	if err != nil {
		return out, nil
	}
	err = c.Compare(ctx, l.Source, note)
	out = append(out, unproven(w, err))
	if kindOf(err) != watch.SplitView {
		return out, nil
	}
	split := m.split(w, l.Origin, err)
	return append(out, split), fmt.Errorf("witness %s holds another history: %w", w.name, err)
}

func silent(w witness, err error) watch.Condition {
	return watch.Condition{
		Key: "silent " + w.name, Holds: err != nil, Patience: Patience,
		Begins: watch.Event{Kind: watch.WitnessSilent, Severity: catalogue.SeverityCaution, Witness: w.name, Text: fmt.Sprintf(
			"witness %s, at %s, has shown nothing for %v that can be compared: %v; without it a quorum is harder to come by, and what it would show is not seen", w.name, w.url, Patience, err)},
		Ends: watch.Event{Kind: watch.WitnessHeard, Severity: catalogue.SeverityNone, Witness: w.name,
			Text: fmt.Sprintf("witness %s shows what it has cosigned again", w.name)},
	}
}

// unproven is the condition that a witness holds a larger tree than the log has
// shown here, of which there is no proof.
func unproven(w witness, err error) watch.Condition {
	return watch.Condition{
		Key: "unproven " + w.name, Holds: errors.Is(err, mirror.ErrUnproven), Patience: Patience,
		Begins: watch.Event{Kind: watch.WitnessUnproven, Severity: catalogue.SeverityCaution, Witness: w.name, Text: fmt.Sprintf(
			"witness %s has cosigned a tree that the log has not shown here for %v, and the log does not prove that it is the same history: %v", w.name, Patience, err)},
		Ends: watch.Event{Kind: watch.WitnessHeard, Severity: catalogue.SeverityNone, Witness: w.name,
			Text: fmt.Sprintf("what witness %s holds is one history with what the log shows", w.name)},
	}
}

// split is the condition that a witness holds another history. It never ends:
// the log has signed both.
func (m *Monitor) split(w witness, origin string, err error) watch.Condition {
	key := "split view " + w.name
	kept, keepErr := m.evidence(origin+" "+key, err)
	text := fmt.Sprintf("the log shows two histories: %v; witness %s holds the other one. Both checkpoints are signed by the log", err, w.name)
	if keepErr != nil {
		text += fmt.Sprintf("; they could not be kept: %v", keepErr)
	}
	return watch.Condition{Key: key, Holds: true, Begins: watch.Event{
		Kind: watch.SplitView, Severity: catalogue.SeverityAct, Witness: w.name, Text: text, Evidence: kept}}
}
