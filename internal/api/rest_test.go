package api_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/api"
	"github.com/standing-log/standing/personality/reason"
)

// TestBadRequests: what is no request of the service is refused as an entry is.
func TestBadRequests(t *testing.T) {
	s := serve(t)
	size := s.size()
	for _, c := range []struct {
		name, method, path, body string
		code                     reason.Code
		http                     int
	}{
		{"unknown member", "POST", "/v1/entries", `{"envelope":"e30=","witt":true}`, reason.RequestMalformed, 400},
		{"unknown member of a batch", "POST", "/v1/entries:batch", `{"envelope":["e30="]}`, reason.RequestMalformed, 400},
		{"unknown member of a status", "POST", "/v1/status:check", `{"subjects":["sha256:00"],"deep":1}`, reason.RequestMalformed, 400},
		{"member twice", "POST", "/v1/entries", `{"wait":true,"wait":false}`, reason.RequestMalformed, 400},
		{"wrong case", "POST", "/v1/entries", `{"Envelope":"e30="}`, reason.RequestMalformed, 400},
		{"wrong type", "POST", "/v1/entries", `{"envelope":7}`, reason.RequestMalformed, 400},
		{"not base64", "POST", "/v1/entries", `{"envelope":"?"}`, reason.RequestMalformed, 400},
		{"no JSON", "POST", "/v1/entries", `{`, reason.RequestMalformed, 400},
		{"array", "POST", "/v1/entries", `[]`, reason.RequestMalformed, 400},
		{"lone surrogate", "POST", "/v1/status:check", `{"subjects":["\ud800"]}`, reason.RequestMalformed, 400},
		{"deep JSON", "POST", "/v1/entries", strings.Repeat("[", 1<<20), reason.RequestMalformed, 400},
		{"no body", "POST", "/v1/entries", ``, reason.EnvelopeMalformed, 400},
		{"start is no number", "GET", "/v1/entries?start=first", ``, reason.RequestMalformed, 400},
		{"start is negative", "GET", "/v1/entries?start=-1", ``, reason.RequestMalformed, 400},
		{"limit beyond 2^32", "GET", "/v1/entries?limit=4294967296", ``, reason.RequestMalformed, 400},
		{"unknown path", "GET", "/v1/nothing", ``, reason.RequestMalformed, 404},
		{"no ids", "GET", "/v1/bundles/", ``, reason.SubjectUnknown, 400},
		{"wrong method", "GET", "/v1/status:check", ``, reason.RequestMalformed, 405},
		{"wrong method", "DELETE", "/v1/entries", ``, reason.RequestMalformed, 405},
	} {
		code, answer := s.do(c.method, c.path, []byte(c.body))
		r := overREST(t, code, answer)
		row := reason.Lookup(c.code)
		if r.HTTP != c.http || r.Code != string(c.code) || r.GRPC != row.GRPC || r.NextStep != row.NextStep || r.Message == "" {
			t.Errorf("%s: %+v, want %s, HTTP %d", c.name, r, c.code, c.http)
		}
	}
	if got := s.size(); got != size || s.Sequencer.Err() != nil {
		t.Errorf("size %d, was %d: %v", got, size, s.Sequencer.Err())
	}
}

// TestTooLarge: of a body that is too large, the limit is read and no more,
// whether or not it states its length.
func TestTooLarge(t *testing.T) {
	s := serve(t)
	text := `{"envelope":"` + strings.Repeat("A", api.MaxMessageBytes) + `"}`
	for _, c := range []struct {
		body   io.Reader
		length int64 // stated; -1 is none
	}{
		{strings.NewReader(text), int64(len(text))}, {strings.NewReader(text), -1}, {endless{}, -1},
	} {
		read := &counter{Reader: c.body}
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/entries", read)
		r.ContentLength = c.length
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		wantRefusal(t, overREST(t, w.Code, w.Body.Bytes()), reason.RequestTooLarge, true)
		if read.n > api.MaxMessageBytes+1 {
			t.Errorf("%d bytes read", read.n)
		}
	}
}

// endless is white space without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// counter counts what is read.
type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}
