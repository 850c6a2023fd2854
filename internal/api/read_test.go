package api_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/standing-log/standing/internal/api"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/verify"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// TestGetBundle fetches several attestations in the order asked for, over both
// transports and by the client.
func TestGetBundle(t *testing.T) {
	w := newWorld(t)
	ids := []entry.Hash{w.withdrawn.ID, w.standing.ID, w.held.ID}
	printed := []string{w.withdrawn.IDString(), w.standing.IDString(), w.held.IDString()}
	verdicts := []verify.Verdict{verify.Revoked, verify.Active, verify.Suspended}
	resp, err := w.grpc.GetBundle(t.Context(), &standingv1.GetBundleRequest{Ids: printed})
	w.check(err)
	w.wantBundle(resp.GetBundle(), verdicts, ids...)
	b, err := w.client.Bundle(t.Context(), printed...)
	w.check(err)
	if !bytes.Equal(b, resp.GetBundle()) {
		t.Error("REST and gRPC give different bundles")
	}
	for name, c := range map[string]struct {
		ids  []string
		code reason.Code
	}{
		"unknown":       {[]string{printed[0], fmt.Sprintf("att:%x", w.nothing)}, reason.NotFound},
		"repeated":      {[]string{printed[0], printed[1], printed[0]}, reason.RequestMalformed},
		"event":         {[]string{"evt:" + printed[0][4:]}, reason.SubjectUnknown},
		"party":         {[]string{fmt.Sprintf("att:%x", w.party.ID)}, reason.NotFound},
		"no kind":       {[]string{printed[0][4:]}, reason.SubjectUnknown},
		"capitals":      {[]string{"att:" + strings.ToUpper(printed[0][4:])}, reason.SubjectUnknown},
		"a digit short": {[]string{printed[0][:67]}, reason.SubjectUnknown},
		"empty":         {[]string{""}, reason.SubjectUnknown},
	} {
		_, err := w.grpc.GetBundle(t.Context(), &standingv1.GetBundleRequest{Ids: c.ids})
		g := overGRPC(err)
		wantRefusal(t, g, c.code, false)
		code, body := w.do("GET", "/v1/bundles/"+strings.Join(c.ids, ","), nil)
		r := overREST(t, code, body)
		wantRefusal(t, r, c.code, true)
		if r.Message != g.Message {
			t.Errorf("%s: REST says %q, gRPC %q", name, r.Message, g.Message)
		}
	}
}

// bigEntries returns n attestations of almost 65,535 bytes each, which only their log
// takes: package lint would not.
func bigEntries(s *server, k *testlog.Key, n int) []*entry.Entry {
	out := make([]*entry.Entry, n)
	for i := range out {
		a := testlog.Claims(s.Origin, s.Unix(), 0)
		for j := range 190 {
			a.Claims.Items = append(a.Claims.Items, entry.Claim{
				ID: fmt.Sprintf("C%05d", j), Answer: "yes", Link: "https://evidence.example/" + strings.Repeat("x", 170)})
		}
		out[i] = testlog.Attest(k, a, testlog.Component(fmt.Sprintf("pkg:npm/big-%03d@1.0.0", i)))
	}
	return out
}

// TestMessageSize: no answer is larger than the log says, whatever is asked.
func TestMessageSize(t *testing.T) {
	s := serve(t)
	p := s.Enrol("alpha", 1)
	entries := bigEntries(s, p.Keys[0], 52)
	if n := len(entries[0].Leaf); n < 60_000 || n > entry.MaxSize {
		t.Fatalf("leaf of %d bytes", n)
	}
	s.Submit(entries...)
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.IDString()
	}
	_, err := s.grpc.GetBundle(t.Context(), &standingv1.GetBundleRequest{Ids: ids})
	wantRefusal(t, overGRPC(err), reason.RequestTooLarge, false)
	code, body := s.do("GET", "/v1/bundles/"+strings.Join(ids[:40], ","), nil)
	if code != 200 || len(body) > api.MaxMessageBytes {
		t.Errorf("bundle of 40: HTTP %d, %d bytes", code, len(body))
	}
	for start := uint64(0); start < s.size(); {
		resp, err := s.grpc.ListEntries(t.Context(), &standingv1.ListEntriesRequest{Start: start})
		s.check(err)
		overREST, err := protojson.Marshal(resp)
		s.check(err)
		if len(overREST) > api.MaxMessageBytes {
			t.Fatalf("entries from %d: %d bytes in JSON", start, len(overREST))
		}
		if resp.GetNext() <= start {
			t.Fatalf("stuck at %d", start)
		}
		start = resp.GetNext()
	}
}

// TestProveStatus asks about more than one answer holds.
func TestProveStatus(t *testing.T) {
	s := serve(t)
	p := s.Enrol("alpha", 1)
	entries := bigEntries(s, p.Keys[0], 52)
	s.Submit(entries...)
	subjects := []string{"pkg:npm/none"}
	for _, e := range entries {
		subjects = append(subjects, e.Subjects[0].Name)
	}
	shown := map[string]bool{}
	calls := 0
	for rest := subjects; len(rest) > 0; calls++ {
		resp, err := s.grpc.ProveStatus(t.Context(), &standingv1.ProveStatusRequest{Subjects: rest})
		s.check(err)
		overREST, err := protojson.Marshal(resp)
		s.check(err)
		if len(overREST) > api.MaxMessageBytes {
			t.Errorf("%d bytes in JSON", len(overREST))
		}
		r := verify.Bundle(resp.GetBundle(), s.Reader())
		if r.Verdict != verify.Active || resp.GetAnswered() < 1 {
			t.Fatalf("%v, %v", r.Verdict, r.Err)
		}
		for _, subject := range r.Subjects {
			shown[subject.Data] = subject.Incomplete == ""
		}
		rest = rest[resp.GetAnswered():]
	}
	for _, subject := range subjects {
		if !shown[subject] {
			t.Errorf("%s is not shown", subject)
		}
	}
	if calls != 2 {
		t.Errorf("%d calls", calls)
	}
	code, body := s.do("POST", "/v1/status:prove", []byte(`{"subjects":["att:00"]}`))
	wantRefusal(t, overREST(t, code, body), reason.SubjectUnknown, true)
}

// TestStatusSize: an answer that is full says so at each subject left over.
func TestStatusSize(t *testing.T) {
	s := serve(t)
	p := s.Enrol("alpha", 1)
	entries := make([]*entry.Entry, 260)
	for i := range entries {
		entries[i] = testlog.Attest(p.Keys[0], testlog.Claims(origin, s.Unix()-uint64(i), 1), testlog.Component("pkg:npm/widget@1.0.0"))
	}
	s.Submit(entries...)
	subjects := slices.Repeat([]string{"pkg:npm/widget"}, api.MaxBatch)
	resp, err := s.grpc.CheckStatus(t.Context(), &standingv1.CheckStatusRequest{Subjects: subjects})
	s.check(err)
	overREST, err := protojson.Marshal(resp)
	s.check(err)
	if len(overREST) > api.MaxMessageBytes {
		t.Errorf("%d bytes in JSON", len(overREST))
	}
	full := false
	for i, r := range resp.GetResults() {
		full = full || r.GetRefusal() != nil
		switch {
		case full && (r.GetRefusal().GetCode() != string(reason.RequestTooLarge) || r.GetAttestations() != nil):
			t.Fatalf("result %d: %v", i, r)
		case !full && (len(r.GetAttestations()) != api.MaxBatch || r.GetTotal() != 260):
			t.Fatalf("result %d: %d attestations of %d", i, len(r.GetAttestations()), r.GetTotal())
		}
	}
	if !full || len(resp.GetResults()) != len(subjects) {
		t.Errorf("%d results, full: %t", len(resp.GetResults()), full)
	}
	// Newest first.
	if got := resp.GetResults()[0].GetAttestations()[0]; got.GetIssuedIndex() != s.size()-2 {
		t.Errorf("first attestation: %v", got)
	}
}

// TestCheckStatus asks about each form of subject.
func TestCheckStatus(t *testing.T) {
	w := newWorld(t)
	digest := w.standing.Subjects[0].Digest
	purl := w.standing.Subjects[0].Name
	pkg, _, _ := strings.Cut(purl, "@")
	type row struct {
		subject string
		verdict string // of the first attestation; "" if there is none
		code    reason.Code
	}
	rows := []row{
		{w.standing.IDString(), "ACTIVE", ""},
		{w.withdrawn.IDString(), "REVOKED", ""},
		{w.held.IDString(), "SUSPENDED", ""},
		{purl, "ACTIVE", ""},
		{purl + "?os=linux#src", "ACTIVE", ""},
		{pkg, "ACTIVE", ""},
		{pkg + "@9.9.9", "", ""},
		{"pkg:npm/nothing", "", ""},
		{"sha256:" + digest, "ACTIVE", ""},
		{"sha512:" + digest + digest, "", ""},
		{"gitCommit:" + digest[:40], "", ""},
		{"att:" + hex.EncodeToString(w.nothing[:]), "", ""},
		{"sha256:" + strings.ToUpper(digest), "", reason.SubjectUnknown},
		{"sha1:" + digest[:40], "", reason.SubjectUnknown},
		{"att:1234", "", reason.SubjectUnknown},
		{w.standing.IDString() + " ", "", reason.SubjectUnknown},
		{"widget", "", reason.SubjectUnknown},
		{"", "", reason.SubjectUnknown},
		{"pkg:NPM/widget", "", reason.Purl},
		{strings.Repeat("x", 100_000), "", reason.SubjectUnknown},
	}
	var subjects []string
	for _, r := range rows {
		subjects = append(subjects, r.subject)
	}
	resp, err := w.grpc.CheckStatus(t.Context(), &standingv1.CheckStatusRequest{Subjects: subjects})
	w.check(err)
	if as := resp.GetAsOf(); as.GetSize() != w.size() || as.GetTime() != w.Unix() {
		t.Errorf("as of %v", as)
	}
	if cp, err := w.Policy.Open(resp.GetCheckpoint(), w.Now()); err != nil || cp.Size != w.size() || len(cp.Cosignatures) == 0 {
		t.Errorf("the checkpoint of the answers: %+v, %v", cp, err)
	}
	rest, err := w.client.Status(t.Context(), subjects...)
	w.check(err)
	if string(rest.Checkpoint) != string(resp.GetCheckpoint()) {
		t.Errorf("the client has checkpoint %q", rest.Checkpoint)
	}
	for i, want := range rows {
		got, verdict := resp.GetResults()[i], ""
		if a := got.GetAttestations(); len(a) > 0 {
			verdict = a[0].GetVerdict()
		}
		if got.GetSubject() != want.subject || verdict != want.verdict || got.GetRefusal().GetCode() != string(want.code) {
			t.Errorf("%.100q: %v", want.subject, got)
		}
		r := rest.Results[i]
		if r.Subject != want.subject || len(r.Attestations) != len(got.GetAttestations()) || (r.Refused != nil) != (want.code != "") {
			t.Errorf("%.100q over REST: %+v", want.subject, r)
		}
		if e := r.Refused; e != nil && (e.Reason.Code != want.code || e.NextStep == "" || len(e.Reason.Detail) > 1000) {
			t.Errorf("%.100q over REST: %+v", want.subject, e)
		}
	}
}

// TestAttestationStatus looks at every member of the answer.
func TestAttestationStatus(t *testing.T) {
	w := newWorld(t)
	status := func(id string) *standingv1.Attestation {
		t.Helper()
		resp, err := w.grpc.CheckStatus(t.Context(), &standingv1.CheckStatusRequest{Subjects: []string{id}})
		w.check(err)
		if n := resp.GetResults()[0]; n.GetTotal() != 1 || len(n.GetAttestations()) != 1 {
			t.Fatalf("status of %s: %v", id, n)
		}
		return resp.GetResults()[0].GetAttestations()[0]
	}
	held, record := status(w.held.IDString()), w.Record(w.held.ID)
	want := &standingv1.Attestation{
		Id: w.held.IDString(), Verdict: "SUSPENDED", State: "held", Reason: proto.Uint32(17), ReasonName: "hold",
		IssuedIndex: record.Issued, LastIndex: record.Last, IssuerId: fmt.Sprintf("party:%x", w.party.ID), IssuerName: w.party.Name,
		KeyId: fmt.Sprintf("%x", w.held.KeyID), HeldUntil: w.Unix() + 2000,
		ValidFrom: w.held.Attestation.ValidFrom, ValidUntil: w.held.Attestation.ValidUntil,
	}
	if !proto.Equal(held, want) {
		t.Errorf("held:\n%v, want\n%v", held, want)
	}
	if a := status(w.withdrawn.IDString()); a.Reason == nil || a.GetReason() != 0 || a.GetReasonName() != "unspecified" || a.GetState() != "revoked" {
		t.Errorf("revoked: %v", a)
	}
	if a := status(w.endedOwn.IDString()); !a.GetIssuerEnded() || a.GetVerdict() != "ACTIVE" {
		t.Errorf("of an ended party: %v", a)
	}
	next := testlog.Claims(origin, w.Unix(), 2)
	next.Supersedes = &w.standing.ID
	e := testlog.Attest(w.party.Keys[1], next, testlog.Component(w.standing.Subjects[0].Name))
	w.submit(e)
	if a := status(w.standing.IDString()); a.GetVerdict() != "SUPERSEDED" || a.GetSuccessor() != e.IDString() || a.Reason != nil {
		t.Errorf("superseded: %v", a)
	}
	w.Advance(25 * time.Hour)
	if a := status(e.IDString()); a.GetVerdict() != "STALE" || a.GetState() != "active" {
		t.Errorf("a day later: %v", a)
	}
	if a := status(w.held.IDString()); a.GetVerdict() != "LAPSED" {
		t.Errorf("hold, a day later: %v", a)
	}
}

// TestListEntries reads the whole log in pages of each size, and beyond.
func TestListEntries(t *testing.T) {
	w := newWorld(t)
	size := w.size()
	for _, limit := range []uint32{0, 1, 3, 256} {
		next := uint64(0)
		for next < size {
			resp, err := w.grpc.ListEntries(t.Context(), &standingv1.ListEntriesRequest{Start: next, Limit: limit})
			w.check(err)
			n := len(resp.GetEntries())
			if n == 0 || limit > 0 && n > int(limit) || resp.GetNext() != next+uint64(n) || resp.GetSize() != size {
				t.Fatalf("limit %d, start %d: %d entries, next %d, size %d", limit, next, n, resp.GetNext(), resp.GetSize())
			}
			for i, e := range resp.GetEntries() {
				w.wantListed(e, next+uint64(i))
			}
			next = resp.GetNext()
		}
	}
	for _, start := range []uint64{size, size + 1, 1<<64 - 1} {
		resp, err := w.grpc.ListEntries(t.Context(), &standingv1.ListEntriesRequest{Start: start, Limit: 7})
		w.check(err)
		if len(resp.GetEntries()) != 0 || resp.GetNext() != start || resp.GetSize() != size {
			t.Errorf("from %d: %v", start, resp)
		}
	}
	n := uint64(0)
	for e, err := range w.client.Entries(t.Context(), 0) {
		w.check(err)
		w.wantListed(&standingv1.Entry{Index: e.Index, Leaf: e.Leaf, Kind: e.Kind, Id: e.ID}, n)
		n++
	}
	if n != size {
		t.Errorf("the client lists %d of %d", n, size)
	}
}

// wantListed compares a listed entry with the leaf in the store.
func (s *server) wantListed(got *standingv1.Entry, index uint64) {
	s.Helper()
	leaves, err := s.Backend.Leaves(s.Context(), index, 1)
	s.check(err)
	kind, id := "seal", ""
	if e, err := entry.Parse(leaves[0]); err == nil {
		kind, id = string(e.Kind), e.IDString()
	}
	if got.GetIndex() != index || !bytes.Equal(got.GetLeaf(), leaves[0]) || got.GetKind() != kind || got.GetId() != id {
		s.Errorf("entry %d: %d, %s, %s; want %s, %s", index, got.GetIndex(), got.GetKind(), got.GetId(), kind, id)
	}
}

// TestIgnoredEntry: a leaf without effect is listed as what it is.
func TestIgnoredEntry(t *testing.T) {
	s := serve(t)
	index, _ := s.Force([]byte("no entry"))
	s = serveNode(t, s.Node)
	resp, err := s.grpc.ListEntries(t.Context(), &standingv1.ListEntriesRequest{Start: index, Limit: 1})
	s.check(err)
	if e := resp.GetEntries()[0]; e.GetKind() != "ignored" || e.GetId() != "" || string(e.GetLeaf()) != "no entry" {
		t.Errorf("%v", e)
	}
}

// TestGetLogInfo compares what the log says of itself with what it is.
func TestGetLogInfo(t *testing.T) {
	s := serve(t)
	s.Enrol("alpha", 1)
	size := s.size()
	got, err := s.grpc.GetLogInfo(t.Context(), &standingv1.GetLogInfoRequest{})
	s.check(err)
	if got.GetOrigin() != origin || len(got.GetVkeys()) != 1 || got.GetSize() != size || got.GetSealedSize() != size ||
		got.GetPublishedSize() != size || got.GetMapFunction() != 1 || got.GetAdmission() != "testlog-1" ||
		got.GetIssuance() != "open" || got.GetSuccessor() != "" || len(got.GetKinds()) != 8 {
		t.Errorf("%v", got)
	}
	if l := got.GetLimits(); l.GetMaxEntryBytes() != 65535 || l.GetMaxSubjects() != 64 || l.GetMaxBatch() != 256 || l.GetMaxMessageBytes() != 4<<20 {
		t.Errorf("limits %v", l)
	}
	for i, row := range reason.Table() {
		r := got.GetReasonCodes()[i]
		if r.GetCode() != string(row.Code) || r.GetGrpcStatus() != row.GRPC || int(r.GetHttpStatus()) != row.HTTP ||
			r.GetMeaning() != row.Meaning || r.GetNextStep() != row.NextStep {
			t.Errorf("reason %d: %v, want %+v", i, r, row)
		}
	}
	info, err := s.client.Info(t.Context())
	s.check(err)
	if info.Origin != origin || info.PublishedSize != size || info.Limits.MaxBatch != api.MaxBatch || info.Issuance != "open" {
		t.Errorf("client: %+v", info)
	}
}
