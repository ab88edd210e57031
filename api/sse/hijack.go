package sse

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"proofstream/stream/registry"
)

// hijacked is an HTTP/1 connection taken over from net/http, so that what net/http keeps for each
// (two buffers, a reading goroutine, the request) is garbage: an idle subscriber costs a small
// goroutine and a channel.
type hijacked struct {
	conn    net.Conn
	head    []byte // of the response; nil once sent
	chunked bool   // RFC 9112 section 7.1; HTTP/1.0 does not know it
	until   deadline
	sub     *registry.Subscription
	ended   func(registry.CloseReason)
	watched watched
}

// sendBuffer is the kernel's buffer of a stream, in bytes: a stalled reader shows soon, and what
// it has not read costs little.
const sendBuffer = 32 << 10

// hijack takes over the request's connection. It returns nil where that must stay with net/http (HTTP/2).
func (s *Server) hijack(w http.ResponseWriter, r *http.Request) *hijacked {
	if s.o.Flush || r.ProtoMajor != 1 {
		return nil
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil
	}
	if tcp := tcpOf(conn); tcp != nil {
		prepare(tcp)
	}
	c := &hijacked{conn: conn, chunked: r.ProtoAtLeast(1, 1)}
	c.head = c.responseHead(w.Header())
	return c
}

// oneLine keeps a header's value from ending its line.
var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

// responseHead writes out status line and headers, in any order: sorting them, as http.Header's
// Write does, would cost more than all the rest.
func (c *hijacked) responseHead(h http.Header) []byte {
	b := make([]byte, 0, 1<<10)
	if c.chunked {
		b = append(b, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"...)
	} else {
		b = append(b, "HTTP/1.0 200 OK\r\nConnection: close\r\n"...)
	}
	b = time.Now().UTC().AppendFormat(append(b, "Date: "...), http.TimeFormat)
	for name, values := range h {
		for _, value := range values {
			b = append(append(append(append(b, "\r\n"...), name...), ": "...), oneLine.Replace(value)...)
		}
	}
	return append(b, "\r\n\r\n"...)
}

// live is the goroutine of a stream. It, and what it calls until the kernel has the bytes, keeps
// its variables few: the stack of an idle subscriber then stays at the 2 KB that it began with. The first
// deadline adds a timer to the runtime's, which takes more stack than to change it later: it is set up here.
func (c *hijacked) live(s *Server, ready []byte) {
	c.renew()
	c.ended(s.write(c, c.sub, ready))
	s.disconnects.forget(c)
	c.conn.Close()
	s.streams.Add(-1)
}

// chunks keeps buffers between writes, so that an idle stream holds none.
var chunks = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

func (c *hijacked) send(frames []byte) error {
	c.renew()
	b := chunks.Get().(*[]byte)
	*b = c.appendFrames((*b)[:0], frames)
	err := c.writeAll(*b)
	chunks.Put(b)
	return err
}

// appendFrames writes frames to b as they are sent, the first time after the head.
func (c *hijacked) appendFrames(b, frames []byte) []byte {
	b = append(b, c.head...)
	c.head = nil
	if !c.chunked {
		return append(b, frames...)
	}
	b = append(strconv.AppendUint(b, uint64(len(frames)), 16), "\r\n"...)
	b = append(b, frames...)
	return append(b, "\r\n"...)
}

// checkEvery is the time between two checks of whether a reader has accepted anything. Several of them come before
// minStall.
const checkEvery = (MaxStall - minStall) / 2

func (c *hijacked) writeAll(b []byte) error {
	n, err := c.conn.Write(b)
	if err == nil {
		return nil
	}
	return c.writeStalled(b[n:], n > 0, err)
}

func (c *hijacked) renew() {
	near, far := checkEvery/2, checkEvery
	if _, secured := c.conn.(*tls.Conn); secured { // TLS cannot go on after a timeout
		near, far = minStall, MaxStall
	}
	c.until.renew(c.conn, time.Now(), near, far)
}

// writeStalled goes on after a write that ended early, as long as the reader accepts some of it now and
// then.
func (c *hijacked) writeStalled(b []byte, some bool, err error) error {
	progress := time.Now()
	if !some {
		progress = progress.Add(-checkEvery / 2) // that write has waited for at least as long
	}
	for errors.Is(err, os.ErrDeadlineExceeded) && time.Since(progress) < minStall {
		if _, secured := c.conn.(*tls.Conn); secured {
			return err
		}
		c.renew()
		var n int
		if n, err = c.conn.Write(b); err == nil {
			return nil
		}
		if n > 0 {
			b, progress = b[n:], time.Now()
		}
	}
	return err
}

// tcpOf returns the TCP connection under conn, nil if there is none.
func tcpOf(conn net.Conn) *net.TCPConn {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	tcp, _ := conn.(*net.TCPConn)
	return tcp
}

// disconnected ends the stream because the other side has gone: the connection is closed at once, without
// the last words of TLS, which nobody reads and which could block for seconds.
func (c *hijacked) disconnected(reason registry.CloseReason) {
	c.sub.End(reason)
	if tcp := tcpOf(c.conn); tcp != nil {
		tcp.Close()
		return
	}
	c.conn.Close()
}
