package node

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestSplit sends both kinds of beginnings, byte by byte and at once: each
// arrives whole at the listener that it is for.
func TestSplit(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	one, two, end := split(l)
	defer end()
	for text, to := range map[string]net.Listener{
		"GET / HTTP/1.1\r\n\r\n": one, "P": one, "PRI * HTTP/1.1\r\n\r\n": one, "POST /v1 HTTP/1.1\r\n\r\n": one,
		preface: two, preface + "\x00\x00\x00\x04": two,
	} {
		for _, step := range []int{1, len(text)} {
			out, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(text); i += step {
				if _, err := io.WriteString(out, text[i:min(i+step, len(text))]); err != nil {
					t.Fatal(err)
				}
			}
			if text == "P" { // undecided until something else comes
				if _, err := io.WriteString(out, "UT"); err != nil {
					t.Fatal(err)
				}
				text = "PUT"
			}
			in, err := to.Accept()
			if err != nil {
				t.Fatal(err)
			}
			_ = out.(*net.TCPConn).CloseWrite()
			if got, err := io.ReadAll(in); err != nil || string(got) != text {
				t.Errorf("%q arrives as %q, %v", text, got, err)
			}
			_ = in.Close()
			_ = out.Close()
		}
	}
}

// TestSplitSilent holds a connection that says nothing: it is closed after a
// while, and when the listeners end.
func TestSplitSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		one, two, end := split(l)
		for _, wait := range []time.Duration{prefaceTimeout, 0} {
			a, b := net.Pipe()
			l.conns <- b
			began := time.Now()
			if wait == 0 {
				end()
			}
			if _, err := a.Read(make([]byte, 1)); err == nil || time.Since(began) != wait {
				t.Errorf("read after %v: %v", time.Since(began), err)
			}
		}
		for _, part := range []net.Listener{one, two} {
			if _, err := part.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("accepting after the end: %v", err)
			}
		}
	})
}

// pipes is a listener in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }
