package node

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// preface is how a connection begins that speaks HTTP/2 from its first byte on
// (RFC 9113, section 3.4). Without TLS that is what gRPC does; browsers, tile
// clients and most proxies speak HTTP/1.1.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// prefaceTimeout is how long a connection may take to tell which it is.
const prefaceTimeout = 10 * time.Second

// split hands out the connections of l in two listeners, so that one address
// serves gRPC by its own transport, which costs half of what it costs above
// net/http. Both end when l does, or when close is called, which also closes l
// and the connections that have told nothing.
func split(l net.Listener) (http1, http2 net.Listener, end func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	one, two := newPart(ctx, l.Addr(), cancel), newPart(ctx, l.Addr(), cancel)
	var wg sync.WaitGroup
	wg.Go(func() {
		for pause := time.Duration(0); ; {
			conn, err := l.Accept()
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED) {
				pause = min(max(2*pause, 5*time.Millisecond), time.Second)
				time.Sleep(pause)
				continue
			}
			if err != nil {
				cancel(err)
				return
			}
			pause = 0
			wg.Go(func() { sort(ctx, conn, one, two) })
		}
	})
	return one, two, func() {
		cancel(net.ErrClosed)
		_ = l.Close()
		wg.Wait()
	}
}

// sort gives conn to the listener of what it speaks.
func sort(ctx context.Context, conn net.Conn, one, two *part) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	head, err := peek(conn)
	if !stop() || err != nil {
		_ = conn.Close()
		return
	}
	to := one
	if string(head) == preface {
		to = two
	}
	select {
	case to.conns <- &peeked{conn, head}:
	case <-ctx.Done():
		_ = conn.Close()
	}
}

// peek reads as far as conn agrees with the preface.
func peek(conn net.Conn) ([]byte, error) {
	if err := conn.SetReadDeadline(time.Now().Add(prefaceTimeout)); err != nil {
		return nil, err
	}
	head := make([]byte, 0, len(preface))
	for len(head) < len(preface) && bytes.HasPrefix([]byte(preface), head) {
		n, err := conn.Read(head[len(head):cap(head)])
		if head = head[:len(head)+n]; err != nil {
			return nil, err
		}
	}
	return head, conn.SetReadDeadline(time.Time{})
}

// peeked is a connection of which a part has been read.
type peeked struct {
	net.Conn
	head []byte // to be read first
}

func (p *peeked) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.head = p.head[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// part is a listener of some of the connections.
type part struct {
	ctx    context.Context
	addr   net.Addr
	conns  chan net.Conn
	cancel context.CancelCauseFunc
}

func newPart(ctx context.Context, addr net.Addr, cancel context.CancelCauseFunc) *part {
	return &part{ctx, addr, make(chan net.Conn), cancel}
}

func (p *part) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.ctx.Done():
		return nil, context.Cause(p.ctx)
	}
}

func (p *part) Close() error   { p.cancel(net.ErrClosed); return nil }
func (p *part) Addr() net.Addr { return p.addr }
