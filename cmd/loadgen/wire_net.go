package main

import (
	"crypto/tls"
	"net"
	"time"
)

// netWire is a goroutine per connection, for https and for systems without epoll. It costs some
// 10 kB and two wake-ups per arrival where epollWire costs none: for large counts, aim the
// generator at the plain port behind the TLS.
type netWire struct {
	target  *target
	conns   []*netConn
	arrived chan arrival
	stop    chan struct{}
}

type netConn struct {
	closed chan struct{}
}

type arrival struct {
	i     int
	conn  *netConn
	bytes []byte
	at    int64
	err   error
}

func newNetWire(t *target, n int) *netWire {
	return &netWire{target: t, conns: make([]*netConn, n), arrived: make(chan arrival, 1024), stop: make(chan struct{})}
}

func (w *netWire) open(i int, request []byte) {
	c := &netConn{closed: make(chan struct{})}
	w.conns[i] = c
	go w.read(i, c, request)
}

// read dials, sends the request and passes on what comes, until the connection ends or is shut.
func (w *netWire) read(i int, c *netConn, request []byte) {
	conn, err := w.target.dial()
	if err != nil {
		w.pass(arrival{i: i, conn: c, err: err})
		return
	}
	go func() {
		select {
		case <-c.closed:
		case <-w.stop:
		}
		conn.Close()
	}()
	if _, err = conn.Write(request); err != nil {
		w.pass(arrival{i: i, conn: c, err: err})
		return
	}
	for err == nil {
		var n int
		buffer := make([]byte, 4096)
		n, err = conn.Read(buffer)
		if !w.pass(arrival{i: i, conn: c, bytes: buffer[:n], at: clock(), err: err}) {
			return
		}
	}
}

func (w *netWire) pass(a arrival) bool {
	select {
	case w.arrived <- a:
		return true
	case <-a.conn.closed:
	case <-w.stop:
	}
	return false
}

func (w *netWire) shut(i int) {
	if c := w.conns[i]; c != nil {
		close(c.closed)
		w.conns[i] = nil
	}
}

func (w *netWire) poll(d time.Duration, to sink) error {
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	select {
	case a := <-w.arrived:
		w.tell(a, to)
	case <-timeout.C:
		return nil
	}
	for range cap(w.arrived) {
		select {
		case a := <-w.arrived:
			w.tell(a, to)
		default:
			return nil
		}
	}
	return nil
}

func (w *netWire) tell(a arrival, to sink) {
	if w.conns[a.i] != a.conn {
		return // of a connection shut since
	}
	if len(a.bytes) > 0 {
		to.received(a.i, a.bytes, a.at)
	}
	if a.err != nil && w.conns[a.i] == a.conn {
		w.shut(a.i)
		to.ended(a.i, a.err)
	}
}

func (w *netWire) release() { close(w.stop) }

// dial opens one connection to the target.
func (t *target) dial() (net.Conn, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if t.secure == nil {
		return dialer.Dial("tcp", t.address.String())
	}
	return tls.DialWithDialer(dialer, "tcp", t.address.String(), t.secure)
}
