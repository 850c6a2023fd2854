package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/standing-log/standing/internal/admission"
	"github.com/standing-log/standing/internal/api"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

const origin = "log.example/api"

// server is a log in memory behind both of its transports.
type server struct {
	testing.TB
	*testnode.Node
	service *api.Service
	handler http.Handler
	rest    string // its address
	grpc    standingv1.LogClient
	client  *client.Client
}

func serve(t testing.TB) *server {
	t.Helper()
	return serveNode(t, testnode.New(t, origin))
}

func serveNode(t testing.TB, n *testnode.Node) *server {
	t.Helper()
	s := &server{TB: t, Node: n, service: &api.Service{
		Origin: n.Origin, Vkeys: []string{"the log's"}, Backend: n.Backend,
		Admission: admission.New(sequencer.KeyStore{Backend: n.Backend}, n.Now),
		Sequencer: n.Sequencer, Prover: n.Prover, Policy: n.Policy, Promiser: api.NewPromiser(n.LogKey), Now: n.Now, Log: slog.New(slog.DiscardHandler),
	}}
	h, err := api.NewHandler(t.Context(), s.service)
	s.check(err)
	s.handler = h
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	s.rest = web.URL
	s.client, err = client.New(web.URL, client.Config{Attempts: 1})
	s.check(err)

	pipe := bufconn.Listen(1 << 20)
	g := grpc.NewServer(grpc.MaxRecvMsgSize(api.MaxMessageBytes))
	standingv1.RegisterLogServer(g, s.service)
	go func() { _ = g.Serve(pipe) }() // it ends with Stop
	t.Cleanup(g.Stop)
	conn, err := grpc.NewClient("passthrough:///log", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	s.check(err)
	t.Cleanup(func() { _ = conn.Close() })
	s.grpc = standingv1.NewLogClient(conn)
	return s
}

func (s *server) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// size returns the number of leaves in the tree, published or not.
func (s *server) size() uint64 {
	s.Helper()
	root, err := s.Backend.Root(s.Context())
	s.check(err)
	return root.Size
}

// refusal is how a transport has refused.
type refusal struct {
	GRPC, Code, Message, NextStep string
	HTTP                          int
}

// overGRPC returns the refusal in an error of a gRPC call.
func overGRPC(err error) refusal {
	st := status.Convert(err)
	r := refusal{GRPC: st.Code().String()}
	for _, d := range st.Details() {
		if d, ok := d.(*standingv1.Refusal); ok {
			r.Code, r.Message, r.NextStep = d.GetCode(), d.GetMessage(), d.GetNextStep()
		}
	}
	return r
}

// grpcNames are the numbers of google.rpc.Code that the table uses.
var grpcNames = map[int]string{3: "InvalidArgument", 5: "NotFound", 7: "PermissionDenied", 8: "ResourceExhausted",
	9: "FailedPrecondition", 12: "Unimplemented", 13: "Internal", 14: "Unavailable"}

// overREST reads a refusal as a program without protobuf does.
func overREST(t testing.TB, httpStatus int, body []byte) refusal {
	t.Helper()
	var s struct {
		Code    int
		Message string
		Details []struct {
			Type                    string `json:"@type"`
			Code, Message, NextStep string
		}
	}
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatalf("HTTP %d: %v: %.300q", httpStatus, err, body)
	}
	r := refusal{HTTP: httpStatus, GRPC: grpcNames[s.Code]}
	for _, d := range s.Details {
		if d.Type == "type.googleapis.com/standing.v1.Refusal" {
			r.Code, r.Message, r.NextStep = d.Code, d.Message, d.NextStep
		}
	}
	if s.Message != r.Message {
		t.Errorf("message %q and detail %q differ", s.Message, r.Message)
	}
	return r
}

// do makes a REST call. A body that is no []byte is sent as JSON.
func (s *server) do(method, path string, body any) (int, []byte) {
	s.Helper()
	b, raw := body.([]byte)
	if !raw && body != nil {
		var err error
		b, err = json.Marshal(body)
		s.check(err)
	}
	req, err := http.NewRequestWithContext(s.Context(), method, s.rest+path, bytes.NewReader(b))
	s.check(err)
	resp, err := http.DefaultClient.Do(req)
	s.check(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	s.check(err)
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		s.Errorf("%s %s: content type %q", method, path, got)
	}
	return resp.StatusCode, answer
}

// call is do for calls that succeed; it decodes the answer.
func (s *server) call(method, path string, body, out any) {
	s.Helper()
	code, answer := s.do(method, path, body)
	if code != http.StatusOK {
		s.Fatalf("%s %s: HTTP %d: %s", method, path, code, answer)
	}
	s.check(json.Unmarshal(answer, out))
}

// restResult is standing.v1.SubmitResult in proto JSON.
type restResult struct {
	ID         string
	Index      uint64 `json:",string"`
	SealedSize uint64 `json:",string"`
	Duplicate  bool
	Bundle     []byte
	Refusal    *struct{ Code, Message, NextStep string }
}

// good returns the nth of any number of entries that p's log accepts.
func good(n *testnode.Node, p *testlog.Party, nth int) *entry.Entry {
	return testlog.Attest(p.Keys[nth%len(p.Keys)], testlog.Claims(n.Origin, n.Unix()-uint64(nth), 3),
		testlog.Component(testlog.Package(nth)+"@1.0.0"))
}

// submit submits entries one by one.
func (s *server) submit(entries ...*entry.Entry) {
	s.Helper()
	for _, e := range entries {
		_, err := s.grpc.Submit(s.Context(), &standingv1.SubmitRequest{Envelope: e.Leaf, Wait: true})
		if err != nil {
			s.Fatalf("%s: %v %+v", e.IDString(), err, overGRPC(err))
		}
	}
}

// wantRefusal checks a refusal against the table; http is 0 over gRPC.
func wantRefusal(t testing.TB, got refusal, want reason.Code, overHTTP bool) {
	t.Helper()
	row := reason.Lookup(want)
	if got.Code != string(want) || got.GRPC != row.GRPC || overHTTP && got.HTTP != row.HTTP {
		t.Errorf("got %+v, want %s, %s, HTTP %d", got, want, row.GRPC, row.HTTP)
	}
	if got.NextStep != row.NextStep || got.NextStep == "" || got.Message == "" {
		t.Errorf("no next step, or no message: %+v", got)
	}
}
