package sse

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

	"proofstream/stream/registry"
)

// hijacked is an HTTP/1 connection taken over from net/http. What net/http keeps for each connection (two buffers, a reading
// goroutine, the request) is then freed: an idle subscriber costs a small goroutine and a channel.
type hijacked struct {
	conn    net.Conn // nil for one whose descriptor is taken over too: see disconnects.watch
	head    []byte   // of the response; nil once sent
	chunked bool     // RFC 9112 section 7.1; HTTP/1.0 does not know it
	sub     *registry.Subscription
	ended   func(registry.CloseReason) // called once, at the end
	watched watched
}

// sendBuffer is the size of the kernel's send buffer of a stream, in bytes. It is small, so that a stalled reader is noticed
// soon and what it has not read costs little memory.
const sendBuffer = 32 << 10

// hijack takes over the request's connection. It returns nil where the connection must stay with net/http: over HTTP/2, and
// with Options.Flush.
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

// responseHead returns the status line and the headers.
func (c *hijacked) responseHead(h http.Header) []byte {
	var b bytes.Buffer
	if c.chunked {
		b.WriteString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n")
	} else {
		b.WriteString("HTTP/1.0 200 OK\r\nConnection: close\r\n")
	}
	b.WriteString("Date: " + time.Now().UTC().Format(http.TimeFormat) + "\r\n")
	h.Write(&b)
	b.WriteString("\r\n")
	return b.Bytes()
}

// live is the goroutine of a stream. It and the functions that it calls for a write have few variables, so that the stack of
// an idle subscriber stays at the 2 KB that a goroutine starts with: see
// TestIdleSubscriberTakesWhatIsPublished.
func (c *hijacked) live(s *Server, ready []byte) {
	c.ended(s.write(c, c.sub, ready))
	s.disconnects.forget(c)
	c.close()
	s.streams.Add(-1)
}

// chunks has buffers for writes. An idle stream holds none.
var chunks = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

func (c *hijacked) send(frames []byte) error {
	b := chunks.Get().(*[]byte)
	*b = c.appendFrames((*b)[:0], frames)
	err := c.write(*b)
	chunks.Put(b)
	return err
}

// appendFrames appends frames to b as they are sent: as one chunk (RFC 9112 section 7.1), the first time after the head.
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

// checkEvery is the time between two checks of whether a reader has accepted any byte. It is short enough for several checks
// within minStall.
const checkEvery = (MaxStall - minStall) / 2

// writeTo writes b to a connection. A reader that accepts some of it now and then has no time limit, except over TLS, which cannot go on
// after a timeout: there it has MaxStall. Nothing is sent after an error: TLS's close_notify would wait for a stalled reader for 5 s more.
func writeTo(conn net.Conn, b []byte) error {
	_, secured := conn.(*tls.Conn)
	limit := checkEvery
	if secured {
		limit = MaxStall
	}
	for progress := time.Now(); ; {
		_ = conn.SetWriteDeadline(time.Now().Add(limit)) // on a closed connection, where the write fails
		n, err := conn.Write(b)
		if n > 0 {
			b, progress = b[n:], time.Now()
		}
		switch tcp := tcpOf(conn); {
		case err == nil:
			return nil
		case !secured && errors.Is(err, os.ErrDeadlineExceeded) && time.Since(progress) < minStall:
			continue
		case tcp != nil:
			_ = tcp.CloseWrite() // on a closed connection, which is as well
		}
		return err
	}
}

// tcpOf returns the TCP connection that conn is, or is secured on; nil if there is none.
func tcpOf(conn net.Conn) *net.TCPConn {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	tcp, _ := conn.(*net.TCPConn)
	return tcp
}
