package main

import (
	"net"
	"time"
)

// netTransport reads each connection in a goroutine of its own, for https and for systems without
// epoll. It needs some 10 kB per connection and two goroutine switches per read. To measure many
// subscribers, point loadgen at the plain HTTP port behind the TLS proxy.
type netTransport struct {
	target  *target
	conns   []*netConn
	results chan readResult
	stop    chan struct{}
}

type netConn struct {
	closed chan struct{}
}

// readResult is the outcome of one dial, write or read.
type readResult struct {
	i     int
	conn  *netConn
	bytes []byte
	at    int64 // clock time
	err   error
}

func newNetTransport(to *target, n int) *netTransport {
	return &netTransport{target: to, conns: make([]*netConn, n), results: make(chan readResult, 1024), stop: make(chan struct{})}
}

func (t *netTransport) open(i int, request []byte) {
	c := &netConn{closed: make(chan struct{})}
	t.conns[i] = c
	go t.serve(i, c, request)
}

// serve dials, sends the request and sends each read to results, until the connection ends or is
// closed.
func (t *netTransport) serve(i int, c *netConn, request []byte) {
	conn, err := t.target.dial()
	if err != nil {
		t.send(readResult{i: i, conn: c, err: err})
		return
	}
	go t.closeLater(c, conn)
	if _, err = conn.Write(request); err != nil {
		t.send(readResult{i: i, conn: c, err: err})
		return
	}
	for err == nil {
		var n int
		buffer := make([]byte, 4096)
		n, err = conn.Read(buffer)
		if !t.send(readResult{i: i, conn: c, bytes: buffer[:n], at: clock(), err: err}) {
			return
		}
	}
}

func (t *netTransport) closeLater(c *netConn, conn net.Conn) {
	select {
	case <-c.closed:
	case <-t.stop:
	}
	conn.Close()
}

// send reports whether the connection is still open.
func (t *netTransport) send(r readResult) bool {
	select {
	case t.results <- r:
		return true
	case <-r.conn.closed:
	case <-t.stop:
	}
	return false
}

func (t *netTransport) close(i int) {
	if c := t.conns[i]; c != nil {
		close(c.closed)
		t.conns[i] = nil
	}
}

func (t *netTransport) poll(d time.Duration, h handler) error {
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	select {
	case r := <-t.results:
		t.handle(r, h)
	case <-timeout.C:
		return nil
	}
	for range cap(t.results) {
		select {
		case r := <-t.results:
			t.handle(r, h)
		default:
			return nil
		}
	}
	return nil
}

func (t *netTransport) handle(r readResult, h handler) {
	if t.conns[r.i] != r.conn {
		return // the connection was closed after this read
	}
	if len(r.bytes) > 0 {
		h.received(r.i, r.bytes, r.at)
	}
	if r.err != nil && t.conns[r.i] == r.conn {
		t.close(r.i)
		h.ended(r.i, r.err)
	}
}

func (t *netTransport) closeAll() { close(t.stop) }
