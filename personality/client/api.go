package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
)

// Info is what the log says about itself (standing.v1.GetLogInfoResponse).
// Keys must be compared with another source.
type Info struct {
	Origin        string   `json:"origin"`
	Vkeys         []string `json:"vkeys"`
	Size          uint64   `json:"size,string"`          // leaves, published or not
	SealedSize    uint64   `json:"sealedSize,string"`    // newest tree that ends in a seal
	PublishedSize uint64   `json:"publishedSize,string"` // newest published checkpoint
	MapFunction   uint32   `json:"mapFunction"`
	Admission     string   `json:"admission"`
	Issuance      string   `json:"issuance"` // "open" or "closed"
	Successor     string   `json:"successor"`
	Limits        Limits   `json:"limits"`
	Kinds         []string `json:"kinds"`
}

// Limits of one call.
type Limits struct {
	MaxEntryBytes   uint32 `json:"maxEntryBytes"`
	MaxSubjects     uint32 `json:"maxSubjects"`
	MaxBatch        uint32 `json:"maxBatch"`
	MaxMessageBytes uint32 `json:"maxMessageBytes"`
}

// Info asks the log about itself.
func (c *Client) Info(ctx context.Context) (*Info, error) {
	var info Info
	return &info, c.call(ctx, http.MethodGet, "v1/log", nil, &info)
}

// Result is what became of one entry.
type Result struct {
	ID         string `json:"id"`                // printed: "att:<hex>" and so on
	Index      uint64 `json:"index,string"`      // of the entry
	SealedSize uint64 `json:"sealedSize,string"` // first sealed tree that holds it
	Duplicate  bool   `json:"duplicate"`         // it had been accepted before
	Bundle     []byte `json:"bundle"`            // only with wait, for an attestation
	// Promise is the log's promise that the entry stands there (package promise):
	// only without wait. It has been verified.
	Promise []byte `json:"promise"`
	// Refused is set if the entry was not accepted; then nothing else is.
	Refused *RefusedError `json:"-"`
}

type result struct {
	Result
	Refusal *refusal `json:"refusal"`
}

func (r result) open() Result {
	r.Refused = r.Refusal.err(0)
	return r.Result
}

// Submit offers one signed entry, a DSSE envelope. With wait it returns once a
// checkpoint that covers the entry is cosigned and published, and brings a
// bundle for an attestation; without, it brings the log's promise. A refusal is
// the error; a promise that is none is ErrPromise.
func (c *Client) Submit(ctx context.Context, envelope []byte, wait bool) (*Result, error) {
	var out struct {
		Result result `json:"result"`
	}
	in := struct {
		Envelope []byte `json:"envelope"`
		Wait     bool   `json:"wait,omitempty"`
	}{envelope, wait}
	if err := c.call(ctx, http.MethodPost, "v1/entries", in, &out); err != nil {
		return nil, err
	}
	r := out.Result.open()
	if r.Refused != nil {
		return nil, r.Refused
	}
	return &r, c.promised(&r, envelope)
}

// SubmitBatch offers many entries, in as many calls as the log's limits ask
// for. There is one result per envelope, in order. If a call fails, the error
// says why and the results are those of the calls before it; all of it may be
// submitted again. Entries refused because the queue is full are offered again
// as often as Config says.
func (c *Client) SubmitBatch(ctx context.Context, envelopes [][]byte, wait bool) ([]Result, error) {
	if len(envelopes) == 0 {
		return nil, nil
	}
	info, err := c.Info(ctx)
	if err != nil {
		return nil, err
	}
	results := make([]Result, 0, len(envelopes))
	for len(results) < len(envelopes) {
		n := chunk(envelopes[len(results):], info.Limits)
		part, err := c.submitChunk(ctx, envelopes[len(results):len(results)+n], wait)
		if err != nil {
			return results, err
		}
		results = append(results, part...)
	}
	return results, nil
}

// chunk returns how many envelopes, at least one, fit into a call.
func chunk(envelopes [][]byte, l Limits) int {
	count, size := int(l.MaxBatch), int(l.MaxMessageBytes)
	if count == 0 {
		count = 100
	}
	if size == 0 {
		size = 1 << 20
	}
	size -= 1 << 10 // for what is around the envelopes
	n := 0
	for n < len(envelopes) && n < count {
		size -= len(envelopes[n])*4/3 + 8
		if size < 0 {
			break
		}
		n++
	}
	return max(n, 1)
}

func (c *Client) submitChunk(ctx context.Context, envelopes [][]byte, wait bool) ([]Result, error) {
	results, err := c.submitOnce(ctx, envelopes, wait)
	for attempt := 1; err == nil && attempt < c.cfg.Attempts; attempt++ {
		var again []int
		var part [][]byte
		for i, r := range results {
			if r.Refused != nil && Temporary(r.Refused) {
				again, part = append(again, i), append(part, envelopes[i])
			}
		}
		if len(again) == 0 || !c.sleep(ctx, attempt, 0) {
			break
		}
		var retried []Result
		if retried, err = c.submitOnce(ctx, part, wait); err == nil {
			for j, i := range again {
				results[i] = retried[j]
			}
		}
	}
	return results, err
}

func (c *Client) submitOnce(ctx context.Context, envelopes [][]byte, wait bool) ([]Result, error) {
	var out struct {
		Results []result `json:"results"`
	}
	in := struct {
		Envelopes [][]byte `json:"envelopes"`
		Wait      bool     `json:"wait,omitempty"`
	}{envelopes, wait}
	if err := c.call(ctx, http.MethodPost, "v1/entries:batch", in, &out); err != nil {
		return nil, err
	}
	if len(out.Results) != len(envelopes) {
		return nil, fmt.Errorf("%s answered %d results to %d entries", c.base, len(out.Results), len(envelopes))
	}
	results := make([]Result, len(out.Results))
	for i, r := range out.Results {
		results[i] = r.open()
		if results[i].Refused != nil {
			continue
		}
		if err := c.promised(&results[i], envelopes[i]); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// Bundle fetches the bundle file of the attestations with the given printed
// ids. It is evidence once package verify has looked at it, and not before.
func (c *Client) Bundle(ctx context.Context, ids ...string) ([]byte, error) {
	for _, id := range ids {
		if !strings.HasPrefix(id, "att:") || strings.Trim(id[4:], "0123456789abcdef") != "" {
			return nil, fmt.Errorf("%.80q is not att:<hex>", id)
		}
	}
	var out struct {
		Bundle []byte `json:"bundle"`
	}
	err := c.call(ctx, http.MethodGet, "v1/bundles/"+strings.Join(ids, ","), nil, &out)
	return out.Bundle, err
}

// Status is what the log says about subjects; it proves nothing.
type Status struct {
	AsOf AsOf `json:"asOf"`
	// Checkpoint is the published checkpoint of that state, with its cosignatures.
	// It has not been opened.
	Checkpoint []byte          `json:"checkpoint"`
	Results    []SubjectStatus `json:"results"`
}

// AsOf names a sealed state of the log.
type AsOf struct {
	Size uint64 `json:"size,string"`
	Time uint64 `json:"time,string"` // Unix seconds
}

// SubjectStatus is what the log holds about one subject.
type SubjectStatus struct {
	Subject      string        `json:"subject"`
	Attestations []Attestation `json:"attestations"` // newest first
	Total        uint64        `json:"total,string"`
	Programme    *Programme    `json:"programme,omitempty"`
	Refused      *RefusedError `json:"-"`
}

// Attestation is standing.v1.Attestation.
type Attestation struct {
	ID              string   `json:"id"`
	Verdict         string   `json:"verdict"`
	State           string   `json:"state"`
	Reason          *uint32  `json:"reason"`
	ReasonName      string   `json:"reasonName"`
	IssuedIndex     uint64   `json:"issuedIndex,string"`
	LastIndex       uint64   `json:"lastIndex,string"`
	IssuerID        string   `json:"issuerId"`
	IssuerName      string   `json:"issuerName"`
	IssuerEnded     bool     `json:"issuerEnded"`
	KeyID           string   `json:"keyId"`
	Successor       string   `json:"successor"`
	HeldUntil       uint64   `json:"heldUntil,string"`
	WithdrawnClaims []string `json:"withdrawnClaims"`
	ValidFrom       uint64   `json:"validFrom,string"`
	ValidUntil      uint64   `json:"validUntil,string"`
	ProgrammeID     string   `json:"programmeId"`
	ProgrammeState  string   `json:"programmeState"`
}

// Programme is standing.v1.Programme.
type Programme struct {
	ID           string   `json:"id"`
	State        string   `json:"state"`
	OperatorID   string   `json:"operatorId"`
	OperatorName string   `json:"operatorName"`
	IssuedIndex  uint64   `json:"issuedIndex,string"`
	RulesIndex   uint64   `json:"rulesIndex,string"`
	LastIndex    uint64   `json:"lastIndex,string"`
	Rules        string   `json:"rules"`
	Link         string   `json:"link"`
	Catalogues   []string `json:"catalogues"`
	Roles        []string `json:"roles"`
	Members      []string `json:"members"`
	MaxValidity  uint64   `json:"maxValidity,string"`
}

// Status asks what the log holds about subjects: printed attestation ids,
// canonical purls, digests as algorithm:hex, or printed programme ids. Asking
// reveals them to the log. At most Limits.MaxBatch of them fit into one call.
func (c *Client) Status(ctx context.Context, subjects ...string) (*Status, error) {
	var out struct {
		AsOf       AsOf   `json:"asOf"`
		Checkpoint []byte `json:"checkpoint"`
		Results    []struct {
			SubjectStatus
			Refusal *refusal `json:"refusal"`
		} `json:"results"`
	}
	in := struct {
		Subjects []string `json:"subjects"`
	}{subjects}
	if err := c.call(ctx, http.MethodPost, "v1/status:check", in, &out); err != nil {
		return nil, err
	}
	if len(out.Results) != len(subjects) {
		return nil, fmt.Errorf("%s answered about %d subjects, asked for %d", c.base, len(out.Results), len(subjects))
	}
	s := &Status{AsOf: out.AsOf, Checkpoint: out.Checkpoint, Results: make([]SubjectStatus, len(subjects))}
	for i, r := range out.Results {
		s.Results[i] = r.SubjectStatus
		s.Results[i].Refused = r.Refusal.err(0)
	}
	return s, nil
}

// Prove fetches bundle files that prove all that the log holds about subjects,
// which are purls or digests, or that it holds nothing; as many as it takes. They
// are evidence once package verify has looked at them, and not before. Asking
// reveals the subjects to the log. At most Limits.MaxBatch of them fit into one
// call.
func (c *Client) Prove(ctx context.Context, subjects ...string) ([][]byte, error) {
	var bundles [][]byte
	for len(subjects) > 0 {
		var out struct {
			Bundle   []byte `json:"bundle"`
			Answered int    `json:"answered"`
		}
		in := struct {
			Subjects []string `json:"subjects"`
		}{subjects}
		if err := c.call(ctx, http.MethodPost, "v1/status:prove", in, &out); err != nil {
			return nil, err
		}
		if out.Answered < 1 || out.Answered > len(subjects) {
			return nil, fmt.Errorf("%s answered about %d subjects, asked for %d", c.base, out.Answered, len(subjects))
		}
		bundles, subjects = append(bundles, out.Bundle), subjects[out.Answered:]
	}
	return bundles, nil
}

// Entry is a leaf as the log lists it.
type Entry struct {
	Index uint64 `json:"index,string"`
	Leaf  []byte `json:"leaf"`
	Kind  string `json:"kind"`
	ID    string `json:"id"`
}

// errListing means that the log's list of entries has a gap.
var errListing = errors.New("log lists entries out of order")

// Entries lists published entries from start on, until there are no more. After
// an error the iteration ends. Who wants proof uses AllEntries.
func (c *Client) Entries(ctx context.Context, start uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for {
			var page struct {
				Entries []Entry `json:"entries"`
			}
			err := c.call(ctx, http.MethodGet, "v1/entries?start="+strconv.FormatUint(start, 10), nil, &page)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range page.Entries {
				if e.Index != start {
					yield(Entry{}, fmt.Errorf("%w: %d where %d belongs", errListing, e.Index, start))
					return
				}
				if !yield(e, nil) {
					return
				}
				start++
			}
			if len(page.Entries) == 0 {
				return
			}
		}
	}
}
