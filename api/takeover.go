package api

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/stream"
)

// taken is an HTTP/1 connection taken over from net/http, so that what net/http keeps for each
// (two buffers, a reading goroutine, the request) is garbage: an idle subscriber costs a small
// goroutine and a channel.
type taken struct {
	conn    net.Conn
	head    []byte // of the response, until it is sent
	chunked bool   // RFC 9112 section 7.1; HTTP/1.0 does not know it
	until   deadline
	owner   *stream.Subscription
	watched watched
}

// sendBuffer is the kernel's buffer of a stream, in bytes: a reader that is stuck shows soon, and
// what it has not read costs little.
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
		_ = tcp.SetWriteBuffer(sendBuffer) // a kernel that will not is no reason to refuse
		setUserTimeout(tcp)
	}
	t := &taken{conn: conn, chunked: r.ProtoAtLeast(1, 1)}
	t.head = t.responseHead(c.Response().Header())
	return t
}

// responseHead writes out status line and headers.
func (t *taken) responseHead(h http.Header) []byte {
	var b bytes.Buffer
	b.Grow(512)
	if t.chunked {
		b.WriteString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n")
	} else {
		b.WriteString("HTTP/1.0 200 OK\r\nConnection: close\r\n")
	}
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	_ = h.Write(&b) // a bytes.Buffer takes everything
	b.WriteString("\r\n")
	return b.Bytes()
}

// chunks keeps buffers between writes, so that an idle stream holds none.
var chunks = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

func (t *taken) send(frames []byte) error {
	if !t.chunked && t.head == nil {
		return t.writeAll(frames)
	}
	pooled := chunks.Get().(*[]byte)
	defer chunks.Put(pooled)
	b := append((*pooled)[:0], t.head...)
	t.head = nil
	if t.chunked {
		b = append(strconv.AppendUint(b, uint64(len(frames)), 16), "\r\n"...)
		b = append(append(b, frames...), "\r\n"...)
	} else {
		b = append(b, frames...)
	}
	*pooled = b
	return t.writeAll(b)
}

// writeAll writes with patience: as long as the reader takes some of it now and then, it goes on.
func (t *taken) writeAll(b []byte) error {
	if _, secured := t.conn.(*tls.Conn); secured {
		t.until.renew(t.conn.SetWriteDeadline, slowLeast, slowMost)
		_, err := t.conn.Write(b) // TLS cannot go on after a timeout
		return err
	}
	// Deadlines come several times within the patience, to see when bytes were last accepted.
	const look = (slowMost - slowLeast) / 2
	for progress := time.Now(); ; {
		t.until.renew(t.conn.SetWriteDeadline, look/2, look)
		n, err := t.conn.Write(b)
		if err == nil {
			return nil
		}
		if n > 0 {
			b, progress = b[n:], time.Now()
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(progress) >= slowLeast {
			return err
		}
	}
}

// tcpOf returns the TCP connection under conn, nil if there is none.
func tcpOf(conn net.Conn) *net.TCPConn {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	tcp, _ := conn.(*net.TCPConn)
	return tcp
}

// hungUp ends the stream from outside: its connection is closed for good.
func (t *taken) hungUp(why stream.Ending) {
	t.owner.End(why)
	t.conn.Close()
}
