package standingv1_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	standingv1 "github.com/standing-log/standing/proto/standing/v1"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// fakeLog records the request that reached it and answers with constants.
type fakeLog struct {
	standingv1.UnimplementedLogServer
	got proto.Message
}

func (f *fakeLog) Submit(_ context.Context, r *standingv1.SubmitRequest) (*standingv1.SubmitResponse, error) {
	f.got = r
	st, err := status.New(codes.InvalidArgument, "no").WithDetails(
		&standingv1.Refusal{Code: "json-null", Message: "no", NextStep: "leave it out"})
	if err != nil {
		return nil, err
	}
	return nil, st.Err()
}

func (f *fakeLog) SubmitBatch(_ context.Context, r *standingv1.SubmitBatchRequest) (*standingv1.SubmitBatchResponse, error) {
	f.got = r
	return &standingv1.SubmitBatchResponse{Results: []*standingv1.SubmitResult{
		{Id: "att:00", Index: 1<<53 + 1, SealedSize: 1<<53 + 3},
		{Refusal: &standingv1.Refusal{Code: "party-ended"}},
	}}, nil
}

func (f *fakeLog) GetBundle(_ context.Context, r *standingv1.GetBundleRequest) (*standingv1.GetBundleResponse, error) {
	f.got = r
	return &standingv1.GetBundleResponse{Bundle: []byte("{}")}, nil
}

func (f *fakeLog) ProveStatus(_ context.Context, r *standingv1.ProveStatusRequest) (*standingv1.ProveStatusResponse, error) {
	f.got = r
	return &standingv1.ProveStatusResponse{Bundle: []byte("{}"), Answered: 1}, nil
}

func (f *fakeLog) CheckStatus(_ context.Context, r *standingv1.CheckStatusRequest) (*standingv1.CheckStatusResponse, error) {
	f.got = r
	return &standingv1.CheckStatusResponse{Results: []*standingv1.SubjectStatus{{
		Attestations: []*standingv1.Attestation{{State: "revoked", Reason: proto.Uint32(0)}},
	}}}, nil
}

func (f *fakeLog) ListEntries(_ context.Context, r *standingv1.ListEntriesRequest) (*standingv1.ListEntriesResponse, error) {
	f.got = r
	return &standingv1.ListEntriesResponse{Next: 7, Size: 9}, nil
}

func (f *fakeLog) GetLogInfo(_ context.Context, r *standingv1.GetLogInfoRequest) (*standingv1.GetLogInfoResponse, error) {
	f.got = r
	return &standingv1.GetLogInfoResponse{Origin: "log.example/one", Size: 9}, nil
}

// TestREST sends one request per method over REST and holds what the server
// received and what the client reads against what standing.proto promises.
func TestREST(t *testing.T) {
	tests := []struct {
		rpc, method, path, body string
		status                  int
		want                    proto.Message
		answer                  string
	}{
		{
			"Submit", "POST", "/v1/entries", `{"envelope":"e30=","wait":true}`, http.StatusBadRequest,
			&standingv1.SubmitRequest{Envelope: []byte("{}"), Wait: true},
			`{"code":3,"message":"no","details":[{"@type":"type.googleapis.com/standing.v1.Refusal",
			 "code":"json-null","message":"no","nextStep":"leave it out"}]}`,
		},
		{
			"SubmitBatch", "POST", "/v1/entries:batch", `{"envelopes":["e30=","W10="]}`, http.StatusOK,
			&standingv1.SubmitBatchRequest{Envelopes: [][]byte{[]byte("{}"), []byte("[]")}},
			`{"results":[
			 {"id":"att:00","index":"9007199254740993","sealedSize":"9007199254740995","duplicate":false,"bundle":"","promise":"","refusal":null},
			 {"id":"","index":"0","sealedSize":"0","duplicate":false,"bundle":"","promise":"",
			  "refusal":{"code":"party-ended","message":"","nextStep":""}}]}`,
		},
		{
			"GetBundle", "GET", "/v1/bundles/att:0a,att:0b", "", http.StatusOK,
			&standingv1.GetBundleRequest{Ids: []string{"att:0a", "att:0b"}},
			`{"bundle":"e30="}`,
		},
		{
			"CheckStatus", "POST", "/v1/status:check", `{"subjects":["pkg:golang/widgets.example/parse@v1.4.0"]}`, http.StatusOK,
			&standingv1.CheckStatusRequest{Subjects: []string{"pkg:golang/widgets.example/parse@v1.4.0"}},
			`{"asOf":null,"checkpoint":"","results":[{"subject":"","total":"0","refusal":null,"programme":null,"attestations":[
			 {"id":"","verdict":"","state":"revoked","reason":0,"reasonName":"","issuedIndex":"0","lastIndex":"0",
			  "issuerId":"","issuerName":"","issuerEnded":false,"keyId":"","successor":"","heldUntil":"0",
			  "withdrawnClaims":[],"programmeId":"","programmeState":"","validFrom":"0","validUntil":"0"}]}]}`,
		},
		{
			"ProveStatus", "POST", "/v1/status:prove", `{"subjects":["pkg:golang/widgets.example/parse@v1.4.0"]}`, http.StatusOK,
			&standingv1.ProveStatusRequest{Subjects: []string{"pkg:golang/widgets.example/parse@v1.4.0"}},
			`{"bundle":"e30=","answered":1}`,
		},
		{
			"ListEntries", "GET", "/v1/entries?start=18446744073709551615&limit=3", "", http.StatusOK,
			&standingv1.ListEntriesRequest{Start: 1<<64 - 1, Limit: 3},
			`{"entries":[],"next":"7","size":"9"}`,
		},
		{
			"GetLogInfo", "GET", "/v1/log", "", http.StatusOK,
			&standingv1.GetLogInfoRequest{},
			`{"origin":"log.example/one","vkeys":[],"size":"9","sealedSize":"0","publishedSize":"0","mapFunction":0,
			 "admission":"","issuance":"","successor":"","limits":null,"reasonCodes":[],"kinds":[],"cosigners":[]}`,
		},
	}
	tested := map[string]bool{}
	for _, tt := range tests {
		tested[tt.rpc] = true
		t.Run(tt.rpc, func(t *testing.T) {
			log, mux := &fakeLog{}, runtime.NewServeMux()
			if err := standingv1.RegisterLogHandlerServer(t.Context(), mux, log); err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, strings.NewReader(tt.body)))
			if w.Code != tt.status {
				t.Errorf("HTTP status %d, want %d: %s", w.Code, tt.status, w.Body)
			}
			if !proto.Equal(log.got, tt.want) {
				t.Errorf("server received %v, want %v", log.got, tt.want)
			}
			if got, want := decode(t, w.Body.Bytes()), decode(t, []byte(tt.answer)); !reflect.DeepEqual(got, want) {
				t.Errorf("client reads\n%v, want\n%v", got, want)
			}
		})
	}
	for _, m := range standingv1.Log_ServiceDesc.Methods {
		if !tested[m.MethodName] {
			t.Errorf("no REST path is tested for %s", m.MethodName)
		}
	}
}

// TestNumbers: whatever may exceed 2^53 is 64 bits wide and unsigned, so that
// JSON carries it as a string, and nothing is signed or floating.
func TestNumbers(t *testing.T) {
	messages := standingv1.File_standing_v1_standing_proto.Messages()
	for i := range messages.Len() {
		fields := messages.Get(i).Fields()
		for j := range fields.Len() {
			switch f := fields.Get(j); f.Kind() {
			case protoreflect.BoolKind, protoreflect.BytesKind, protoreflect.StringKind,
				protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.MessageKind:
			default:
				t.Errorf("%s is of kind %s", f.FullName(), f.Kind())
			}
		}
	}
}

func decode(t *testing.T, b []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("decoding %q: %v", b, err)
	}
	return v
}
