package hammer

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/standing-log/standing/personality/reason"
)

// script is a transport that answers one call after the other.
type script struct {
	transport
	calls [][]result
	errs  []error
	asked []int // entries of each call
}

func (s *script) submit(_ context.Context, leaves [][]byte) ([]result, error) {
	n := len(s.asked)
	s.asked = append(s.asked, len(leaves))
	return s.calls[n], s.errs[n]
}

func refused(code reason.Code) result { return result{refused: reason.Errorf(code, "test")} }

// TestInsist repeats what the log asks to repeat, and nothing else.
func TestInsist(t *testing.T) {
	a, b := result{id: "a"}, result{id: "b"}
	for _, test := range []struct {
		name   string
		calls  [][]result
		errs   []error
		asked  int // calls
		pushed int64
		ok     bool
	}{
		{"taken", [][]result{{a, b}}, []error{nil}, 1, 0, true},
		{"one is busy", [][]result{{a, refused(reason.Busy)}, {b}}, []error{nil, nil}, 2, 1, true},
		{"all is busy", [][]result{nil, {a, b}}, []error{status.Error(codes.Unavailable, "busy"), nil}, 2, 1, true},
		{"one is refused", [][]result{{a, refused(reason.KeyUnknown)}}, []error{nil}, 1, 0, false},
		{"busy and refused", [][]result{{refused(reason.KeyUnknown), refused(reason.Busy)}}, []error{nil}, 1, 0, false},
		{"call fails", [][]result{nil}, []error{status.Error(codes.Internal, "no")}, 1, 0, false},
		{"results are missing", [][]result{{a}}, []error{nil}, 1, 0, false},
	} {
		s := &script{calls: test.calls, errs: test.errs}
		var pushed atomic.Int64
		got, err := insist(t.Context(), s, [][]byte{{1}, {2}}, &pushed)
		if (err == nil) != test.ok || len(s.asked) != test.asked || pushed.Load() != test.pushed {
			t.Errorf("%s: %v after %v calls, pushed back %d times", test.name, err, s.asked, pushed.Load())
		}
		if test.ok && (got[0] != a || got[1] != b) {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

// TestComplete refuses answers that cannot all be true.
func TestComplete(t *testing.T) {
	for _, test := range []struct {
		indexes []uint64
		size    uint64
		want    string
	}{
		{[]uint64{4, 2, 3}, 5, ""},
		{[]uint64{4, 2, 4}, 5, "answered twice"},
		{[]uint64{4, 2, 3}, 4, "not in the published tree"},
	} {
		err := (&standing{indexes: test.indexes}).complete(test.size)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v", test.indexes, err)
		}
	}
}

// spoilt changes what a log answers.
type spoilt struct {
	transport
	of func(id string) string
}

func (s spoilt) bundle(ctx context.Context, id string) ([]byte, error) {
	return s.transport.bundle(ctx, s.of(id))
}

func (s spoilt) submit(ctx context.Context, leaves [][]byte) ([]result, error) {
	results, err := s.transport.submit(ctx, leaves)
	for i := range results {
		results[i].id = s.of(results[i].id)
	}
	return results, err
}

// TestLies notices answers about another entry.
func TestLies(t *testing.T) {
	cfg := config(t)
	cfg.Entries = 20
	s, err := newStanding(t.Context(), &cfg, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	s.take(sign(s.origin, s.issuers, 0, cfg.Entries))
	honest := s.transport
	other := func(string) string { return s.printed(0) }
	s.transport = spoilt{honest, other}
	if _, err := s.add(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "was answered as") {
		t.Errorf("another id: %v", err)
	}
	s.transport = honest
	if _, _, err := cfg.offer(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if _, err := s.verifyBundles(t.Context()); err != nil {
		t.Errorf("honest: %v", err)
	}
	s.transport = spoilt{honest, other}
	if _, err := s.verifyBundles(t.Context()); err == nil {
		t.Error("bundles of another entry pass")
	}
	s.transport = honest
	s.indexes[3], s.indexes[4] = s.indexes[4], s.indexes[3]
	var p proofs
	b, err := s.bundle(t.Context(), s.printed(3))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.add(s, 3, b); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("another index: %v", err)
	}
}
