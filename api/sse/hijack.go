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

// hijacked is an HTTP/1 connection taken over from net/http. What net/http keeps for each connection (two buffers, two
// goroutines, the request) is then freed: an idle subscriber costs a channel and this.
type hijacked struct {
	conn    net.Conn // nil for one whose descriptor is taken over too: see disconnects.watch
	unsent  []byte   // bytes of the response that come before those of the next batch
	chunked bool     // RFC 9112 section 7.1; HTTP/1.0 does not know it
	server  *Server
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
	c := &hijacked{server: s, conn: conn, chunked: r.ProtoAtLeast(1, 1)}
	c.unsent = c.responseHead(w.Header())
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

// turn is how many writes a stream does before the others that are woken with it have theirs.
const turn = 8

// Wake implements registry.Waker: it writes what waits, and ends the stream if its subscription has ended. A stream has a goroutine only
// while it blocks: for a reader that is slower than its events, for the log, at its end, and for each write over TLS. One with more to write than others
// gets one, too.
func (c *hijacked) Wake(block bool) {
	idle, err := false, error(nil)
	for steps := 0; !idle && err == nil; steps++ {
		if block || c.conn == nil && steps < turn {
			idle, err = c.step(block)
		} else {
			err = registry.ErrWouldBlock
		}
	}
	switch {
	case err == nil:
	case err == registry.ErrWouldBlock:
		go c.Wake(true)
	case block:
		c.end(err)
	default:
		go c.end(err)
	}
}

// step writes what is unsent, or else the next batch. idle means that there was nothing to write: the stream then belongs to the next Wake.
func (c *hijacked) step(block bool) (idle bool, err error) {
	if len(c.unsent) > 0 {
		n, err := c.write(c.unsent, block)
		if c.unsent = c.unsent[n:]; err == nil && len(c.unsent) > 0 {
			err = registry.ErrWouldBlock
		}
		return false, err
	}
	c.unsent = nil
	batch, err := c.sub.Poll(block)
	if err != nil || batch.Frames == 0 {
		return true, err
	}
	b := chunks.Get().(*[]byte)
	defer chunks.Put(b)
	*b = c.appendFrames((*b)[:0], batch.Bytes)
	n, err := c.write(*b, block)
	if err == nil {
		c.server.o.Registry.Sent(batch)
		c.unsent = bytes.Clone((*b)[n:])
	}
	return false, err
}

// end ends the stream.
func (c *hijacked) end(err error) {
	c.ended(c.server.finish(c, c.sub, err))
	c.server.disconnects.forget(c)
	c.close()
	c.server.streams.Add(-1)
}

// chunks has buffers for writes. An idle stream holds none.
var chunks = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// send implements writer.
func (c *hijacked) send(frames []byte) error {
	_, err := c.write(c.appendFrames(c.unsent, frames), true)
	c.unsent = nil
	return err
}

// appendFrames appends frames to b as they are sent: as one chunk (RFC 9112 section 7.1).
func (c *hijacked) appendFrames(b, frames []byte) []byte {
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
