// Package api is the log's interface, once: the gRPC service, and the same over
// REST/JSON. It turns requests into calls of admission, sequencer and prover,
// and their errors into the answers of package reason's table.
package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/admission"
	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// Limits of one call.
const (
	MaxBatch        = 256
	MaxMessageBytes = 4 << 20
)

// maxBundle is the greatest length of a bundle whose message stays under
// MaxMessageBytes: base64 in JSON is a third longer.
const maxBundle = MaxMessageBytes/4*3 - 1024

// maxStatuses is the number of attestations, and members of programmes, at which
// an answer of CheckStatus is full: each attestation costs several look-ups. The
// last subject may take MaxBatch more; all of them together stay far under
// MaxMessageBytes.
const maxStatuses = 4 * MaxBatch

// checkCount checks the number of items of a request.
func checkCount(n int, items string) error {
	if n == 0 {
		return reason.Errorf(reason.RequestMalformed, "no %s", items)
	}
	if n > MaxBatch {
		return reason.Errorf(reason.RequestTooLarge, "%d %s, at most %d", n, items, MaxBatch)
	}
	return nil
}

// Service implements standingv1.LogServer.
type Service struct {
	standingv1.UnimplementedLogServer

	Origin    string
	Vkeys     []string
	Backend   backend.Backend
	Admission *admission.Admission
	Sequencer *sequencer.Sequencer
	Prover    *prover.Prover
	Policy    *trust.Policy
	// Cosigners says what was seen of the cosigners; nil: nothing.
	Cosigners func() []cosign.Status
	Promiser  *Promiser
	Now       func() time.Time
	Log       *slog.Logger
}

// Submit offers one entry.
func (s *Service) Submit(ctx context.Context, r *standingv1.SubmitRequest) (*standingv1.SubmitResponse, error) {
	e, err := s.Admission.Admit(r.GetEnvelope())
	if err != nil {
		return nil, s.status(err)
	}
	res, err := s.Sequencer.Submit(ctx, e)
	if err != nil {
		return nil, s.status(err)
	}
	out := result(e, res)
	if !r.GetWait() {
		p, err := s.promise(ctx, e, res)
		if err == nil {
			err = s.promises([]promise.Promise{p}, []*standingv1.SubmitResult{out})
		}
		if err != nil {
			return nil, s.status(err)
		}
	} else {
		if err := s.Sequencer.WaitPublished(ctx, res.Sealed); err != nil {
			return nil, s.status(err)
		}
		if e.Kind == entry.KindAttestation {
			if out.Bundle, err = s.bundle(ctx, []prover.Hash{e.ID}); err != nil {
				return nil, s.status(err)
			}
		}
	}
	return &standingv1.SubmitResponse{Result: out}, nil
}

func result(e *entry.Entry, r sequencer.Result) *standingv1.SubmitResult {
	return &standingv1.SubmitResult{Id: e.IDString(), Index: r.Index, SealedSize: r.Sealed, Duplicate: r.Duplicate}
}

// SubmitBatch offers many entries; each is answered by itself.
func (s *Service) SubmitBatch(ctx context.Context, r *standingv1.SubmitBatchRequest) (*standingv1.SubmitBatchResponse, error) {
	n := len(r.GetEnvelopes())
	if err := checkCount(n, "envelopes"); err != nil {
		return nil, s.status(err)
	}
	out := make([]*standingv1.SubmitResult, n)
	var admitted []*entry.Entry
	var at []int
	entries, refusals := s.Admission.AdmitAll(r.GetEnvelopes())
	for i, e := range entries {
		if refusals[i] != nil {
			out[i] = &standingv1.SubmitResult{Refusal: s.refusal(refusals[i])}
			continue
		}
		admitted, at = append(admitted, e), append(at, i)
	}
	results, errs := s.Sequencer.SubmitAll(ctx, admitted)
	var sealed uint64
	for j, i := range at {
		if errs[j] != nil {
			out[i] = &standingv1.SubmitResult{Refusal: s.refusal(errs[j])}
			continue
		}
		out[i] = result(admitted[j], results[j])
		sealed = max(sealed, results[j].Sealed)
	}
	if !r.GetWait() {
		var promises []promise.Promise
		var answers []*standingv1.SubmitResult
		for j, i := range at {
			if errs[j] != nil {
				continue
			}
			p, err := s.promise(ctx, admitted[j], results[j])
			if err != nil {
				return nil, s.status(err)
			}
			promises, answers = append(promises, p), append(answers, out[i])
		}
		if err := s.promises(promises, answers); err != nil {
			return nil, s.status(err)
		}
	} else {
		if err := s.Sequencer.WaitPublished(ctx, sealed); err != nil {
			return nil, s.status(err)
		}
	}
	return &standingv1.SubmitBatchResponse{Results: out}, nil
}

// GetBundle proves how attestations stand.
func (s *Service) GetBundle(ctx context.Context, r *standingv1.GetBundleRequest) (*standingv1.GetBundleResponse, error) {
	if err := checkCount(len(r.GetIds()), "ids"); err != nil {
		return nil, s.status(err)
	}
	ids := make([]prover.Hash, len(r.GetIds()))
	for i, printed := range r.GetIds() {
		h, ok := strings.CutPrefix(printed, "att:")
		id, err := prover.ParseHash(h)
		if !ok || err != nil {
			return nil, s.status(reason.Errorf(reason.SubjectUnknown, "%.80q is not an attestation id", printed))
		}
		ids[i] = id
	}
	b, err := s.bundle(ctx, ids)
	if err != nil {
		return nil, s.status(err)
	}
	return &standingv1.GetBundleResponse{Bundle: b}, nil
}

func (s *Service) bundle(ctx context.Context, ids []prover.Hash) ([]byte, error) {
	state, err := s.Prover.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer state.Close()
	b, err := state.Bundle(ids)
	if err == nil && len(b) > maxBundle {
		err = reason.Errorf(reason.RequestTooLarge, "a bundle of %d bytes, at most %d: ask for fewer attestations", len(b), maxBundle)
	}
	return b, err
}

// CheckStatus says what the log holds about subjects.
func (s *Service) CheckStatus(ctx context.Context, r *standingv1.CheckStatusRequest) (*standingv1.CheckStatusResponse, error) {
	if err := checkCount(len(r.GetSubjects()), "subjects"); err != nil {
		return nil, s.status(err)
	}
	state, err := s.Prover.Open(ctx)
	if err != nil {
		return nil, s.status(err)
	}
	defer state.Close()
	asOf, err := s.asOf(state)
	if err != nil {
		return nil, s.status(err)
	}
	out := &standingv1.CheckStatusResponse{
		AsOf: &standingv1.AsOf{Size: state.Size, Time: uint64(asOf.Unix())}, Checkpoint: state.Checkpoint,
	}
	total := 0
	for _, subject := range r.GetSubjects() {
		found := &standingv1.SubjectStatus{Subject: subject}
		if total < maxStatuses {
			found = s.subject(state, subject, asOf)
		} else {
			found.Refusal = s.refusal(reason.Errorf(reason.RequestTooLarge, "the answer is full: ask about this subject in another call"))
		}
		total += len(found.GetAttestations()) + len(found.GetProgramme().GetMembers())
		out.Results = append(out.Results, found)
	}
	return out, nil
}

// ProveStatus proves what the log holds about subjects.
func (s *Service) ProveStatus(ctx context.Context, r *standingv1.ProveStatusRequest) (*standingv1.ProveStatusResponse, error) {
	if err := checkCount(len(r.GetSubjects()), "subjects"); err != nil {
		return nil, s.status(err)
	}
	state, err := s.Prover.Open(ctx)
	if err != nil {
		return nil, s.status(err)
	}
	defer state.Close()
	b, n, err := state.AnswerWithin(maxBundle, r.GetSubjects()...)
	if err != nil {
		return nil, s.status(err)
	}
	return &standingv1.ProveStatusResponse{Bundle: b, Answered: uint32(n)}, nil
}

// asOf returns quorum time, or the seal's clock where no quorum is asked for.
func (s *Service) asOf(state *prover.State) (time.Time, error) {
	cp, err := s.Policy.Open(state.Checkpoint, s.Now())
	if err != nil {
		return time.Time{}, err
	}
	if !cp.Witnessed {
		return time.Unix(int64(state.Seal.SealedAt), 0), nil
	}
	return cp.Time, nil
}

func (s *Service) subject(state *prover.State, subject string, asOf time.Time) *standingv1.SubjectStatus {
	out := &standingv1.SubjectStatus{Subject: subject}
	if err := s.fill(out, state, asOf); err != nil {
		return &standingv1.SubjectStatus{Subject: subject, Refusal: s.refusal(err)}
	}
	return out
}

// fill answers about out's subject.
func (s *Service) fill(out *standingv1.SubjectStatus, state *prover.State, asOf time.Time) error {
	if h, ok := strings.CutPrefix(out.Subject, "prog:"); ok {
		id, err := prover.ParseHash(h)
		if err != nil {
			return err
		}
		out.Programme, err = programme(state, id)
		return err
	}
	found, total, err := state.Status(out.Subject)
	if err != nil {
		return err
	}
	out.Total = total
	for _, f := range slices.Backward(found) {
		a := s.attestation(f, asOf)
		if id := f.Entry.Attestation.Programme; id != nil {
			p, err := programme(state, *id)
			if err != nil {
				return err
			}
			a.ProgrammeId, a.ProgrammeState = p.GetId(), p.GetState()
		}
		out.Attestations = append(out.Attestations, a)
	}
	return nil
}

func (s *Service) attestation(f prover.Found, asOf time.Time) *standingv1.Attestation {
	p := f.Entry.Attestation
	a := &standingv1.Attestation{
		Id: f.Entry.IDString(), State: f.Record.State, Verdict: s.verdict(f, asOf).String(),
		IssuedIndex: f.Record.Issued, LastIndex: f.Record.Last,
		IssuerId: "party:" + hex.EncodeToString(f.ID[:]), IssuerName: f.Enrol.Name, IssuerEnded: f.Party.State == mapfn.StateEnded,
		KeyId: hex.EncodeToString(f.Record.Key[:]), ValidFrom: p.ValidFrom, ValidUntil: p.ValidUntil,
		WithdrawnClaims: f.Record.Withdrawn,
	}
	if r := f.Record.Reason; r != nil {
		code := uint32(*r)
		a.Reason = &code
		if known, ok := catalogue.ReasonByNumber(*r); ok {
			a.ReasonName = known.Code
		}
	}
	if id := f.Record.Successor; id != nil {
		a.Successor = "att:" + hex.EncodeToString(id[:])
	}
	if f.Record.Until != nil {
		a.HeldUntil = *f.Record.Until
	}
	return a
}

// verdict is what a verifier with default rules says.
func (s *Service) verdict(f prover.Found, asOf time.Time) verify.Verdict {
	if causes := verify.Judge(f.Entry, f.Record, f.Key, s.Now()); len(causes) > 0 {
		return causes[0].Verdict
	}
	if s.Now().Sub(asOf) > verify.DefaultMaxAge {
		return verify.Stale
	}
	return verify.Active
}

// ListEntries returns published entries in log order.
func (s *Service) ListEntries(ctx context.Context, r *standingv1.ListEntriesRequest) (*standingv1.ListEntriesResponse, error) {
	limit := uint64(r.GetLimit())
	if limit == 0 {
		limit = MaxBatch
	}
	size := s.Sequencer.PublishedSize()
	out := &standingv1.ListEntriesResponse{Next: r.GetStart(), Size: size}
	if limit > MaxBatch {
		return nil, s.status(reason.Errorf(reason.RequestTooLarge, "limit %d, at most %d", limit, MaxBatch))
	}
	if r.GetStart() >= size {
		return out, nil
	}
	leaves, err := s.leaves(ctx, r.GetStart(), min(limit, size-r.GetStart()))
	if err != nil {
		return nil, s.status(err)
	}
	total := 0
	for i, leaf := range leaves {
		// base64 in JSON is a third longer.
		if total += len(leaf) + 256; i > 0 && total > MaxMessageBytes/2 {
			break
		}
		out.Entries = append(out.Entries, listed(r.GetStart()+uint64(i), leaf))
		out.Next++
	}
	return out, nil
}

// leaves reads up to n leaves and checks them against the signed tree.
func (s *Service) leaves(ctx context.Context, first, n uint64) ([][]byte, error) {
	leaves, err := s.Backend.Leaves(ctx, first, n)
	if err != nil {
		return nil, err
	}
	hashes := make([]backend.Hash, len(leaves))
	for i, leaf := range leaves {
		hashes[i] = backend.Hash(rfc6962.DefaultHasher.HashLeaf(leaf))
	}
	return leaves, backend.VerifyNodes(ctx, s.Backend, s.Sequencer.Signed(), 0, first, hashes)
}

// listed describes a leaf. This log appends nothing that the map ignores, so
// what parses has effect.
func listed(index uint64, leaf []byte) *standingv1.Entry {
	out := &standingv1.Entry{Index: index, Leaf: leaf, Kind: "ignored"}
	if seal.Is(leaf) {
		out.Kind = "seal"
	} else if e, err := entry.Parse(leaf); err == nil {
		out.Kind, out.Id = string(e.Kind), e.IDString()
	}
	return out
}

// GetLogInfo describes the log.
func (s *Service) GetLogInfo(ctx context.Context, _ *standingv1.GetLogInfoRequest) (*standingv1.GetLogInfoResponse, error) {
	root, err := s.Backend.Root(ctx)
	if err != nil {
		return nil, s.status(err)
	}
	signed := s.Sequencer.SignedSize()
	out := &standingv1.GetLogInfoResponse{
		Origin: s.Origin, Vkeys: s.Vkeys, Size: root.Size, SealedSize: signed, PublishedSize: s.Sequencer.PublishedSize(),
		MapFunction: mapfn.Version,
		Limits: &standingv1.Limits{
			MaxEntryBytes: entry.MaxSize, MaxSubjects: entry.MaxSubjects, MaxBatch: MaxBatch, MaxMessageBytes: MaxMessageBytes,
		},
		Kinds: []string{"charter", "party", "key", "programme", "revocation", "attestation/claims", "attestation/statement", "attestation/private"},
	}
	for _, e := range reason.Table() {
		out.ReasonCodes = append(out.ReasonCodes, &standingv1.ReasonCode{
			Code: string(e.Code), GrpcStatus: e.GRPC, HttpStatus: uint32(e.HTTP), Meaning: e.Meaning, NextStep: e.NextStep,
		})
	}
	if s.Cosigners != nil {
		for _, c := range s.Cosigners() {
			out.Cosigners = append(out.Cosigners, &standingv1.Cosigner{
				Name: c.Name, Vkey: c.Key.Vkey, InQuorum: c.InQuorum, Auditor: c.Auditor, Cosigned: c.Published,
				Size: c.Size, Time: uint64(max(0, c.Time)), Failing: c.Err != nil,
			})
		}
	}
	return out, s.charter(ctx, out)
}

// charter adds what the charter says, once something is published.
func (s *Service) charter(ctx context.Context, out *standingv1.GetLogInfoResponse) error {
	if out.PublishedSize == 0 {
		return nil
	}
	state, err := s.Prover.Open(ctx)
	if err != nil {
		return s.status(err)
	}
	defer state.Close()
	b, err := state.Map.Record(mapfn.NSLog, nil)
	if err != nil {
		return s.status(err)
	}
	l, err := mapfn.ParseLog(b)
	if err != nil {
		return s.status(fmt.Errorf("the log's record: %w", err))
	}
	out.Admission, out.Issuance, out.Successor = l.Admission, l.Issuance, l.Successor
	return nil
}
