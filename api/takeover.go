package api

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

	"github.com/labstack/echo/v4"

	"proofstream/stream/registry"
)

// taken is an HTTP/1 connection taken over from net/http, so that what net/http keeps for each
// (two buffers, a reading goroutine, the request) is garbage: an idle subscriber costs a small
// goroutine and a channel.
type taken struct {
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

// takeOver returns the request's connection, or nil where it must stay with net/http (HTTP/2).
func (s *Server) takeOver(c echo.Context) *taken {
	r := c.Request()
	if s.o.Flush || r.ProtoMajor != 1 {
		return nil
	}
	conn, _, err := http.NewResponseController(c.Response().Writer).Hijack()
	if err != nil {
		return nil
	}
	c.Response().Committed = true
	if tcp := tcpOf(conn); tcp != nil {
		prepare(tcp)
	}
	t := &taken{conn: conn, chunked: r.ProtoAtLeast(1, 1)}
	t.head = t.responseHead(c.Response().Header())
	return t
}

// oneLine keeps a header's value from ending its line.
var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

// responseHead writes out status line and headers, in any order: sorting them, as http.Header's
// Write does, would cost more than all the rest.
func (t *taken) responseHead(h http.Header) []byte {
	b := make([]byte, 0, 1<<10)
	if t.chunked {
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
func (t *taken) live(s *Server, ready []byte) {
	t.renew()
	t.ended(s.write(t, t.sub, ready))
	s.disconnects.forget(t)
	t.conn.Close()
	s.streams.Add(-1)
}

// chunks keeps buffers between writes, so that an idle stream holds none.
var chunks = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

func (t *taken) send(frames []byte) error {
	t.renew()
	b := chunks.Get().(*[]byte)
	*b = t.appendFrames((*b)[:0], frames)
	err := t.writeAll(*b)
	chunks.Put(b)
	return err
}

// appendFrames writes frames to b as they go over the wire, the first time behind the head.
func (t *taken) appendFrames(b, frames []byte) []byte {
	b = append(b, t.head...)
	t.head = nil
	if !t.chunked {
		return append(b, frames...)
	}
	b = append(strconv.AppendUint(b, uint64(len(frames)), 16), "\r\n"...)
	b = append(b, frames...)
	return append(b, "\r\n"...)
}

// look is the time between two looks at whether a reader has accepted anything: several of them come
// before slowLeast.
const look = (slowMost - slowLeast) / 2

func (t *taken) writeAll(b []byte) error {
	n, err := t.conn.Write(b)
	if err == nil {
		return nil
	}
	return t.writeStalled(b[n:], n > 0, err)
}

func (t *taken) renew() {
	near, far := look/2, look
	if _, secured := t.conn.(*tls.Conn); secured { // TLS cannot go on after a timeout
		near, far = slowLeast, slowMost
	}
	t.until.renew(t.conn, time.Now(), near, far)
}

// writeStalled goes on after a write that ended early, as long as the reader accepts some of it now and
// then.
func (t *taken) writeStalled(b []byte, some bool, err error) error {
	progress := time.Now()
	if !some {
		progress = progress.Add(-look / 2) // that write has waited for at least as long
	}
	for errors.Is(err, os.ErrDeadlineExceeded) && time.Since(progress) < slowLeast {
		if _, secured := t.conn.(*tls.Conn); secured {
			return err
		}
		t.renew()
		var n int
		if n, err = t.conn.Write(b); err == nil {
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
func (t *taken) disconnected(reason registry.CloseReason) {
	t.sub.End(reason)
	if tcp := tcpOf(t.conn); tcp != nil {
		tcp.Close()
		return
	}
	t.conn.Close()
}
