package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"proofstream/stream/natslog/natstest"
	"proofstream/stream/waitfor"
)

// StreamRequest is a raw request for a stream; the query begins with a question mark, or is empty.
func StreamRequest(query string) string {
	return "GET /events" + query + " HTTP/1.1\r\nHost: x\r\n\r\n"
}

// DialRaw opens a TCP connection and sends a request on it. Reads and writes fail after patience. With a local address
// the connection comes from there; nil is any.
func (s Server) DialRaw(local net.IP, request string) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: waitfor.Patience}
	if local != nil {
		d.LocalAddr = &net.TCPAddr{IP: local}
	}
	conn, err := d.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(waitfor.Patience))
	if _, err := io.WriteString(conn, request); err != nil {
		conn.Close()
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// Raw is DialRaw for a connection that must come about, and that ends with the test.
func (s Server) Raw(t testing.TB, request string) *net.TCPConn {
	t.Helper()
	conn, err := s.DialRaw(nil, request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Stalled opens a stream, reads its first bytes and then nothing more, with as small a window as the kernel gives.
func (s Server) Stalled(t testing.TB) *net.TCPConn {
	t.Helper()
	conn := s.Raw(t, "")
	conn.SetReadBuffer(1)
	io.WriteString(conn, StreamRequest(""))
	if _, err := conn.Read(make([]byte, 12)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// FreeAddress returns an address of the loopback that nobody listens on right now.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return fmt.Sprint("127.0.0.1:", natstest.FreePorts(t, 1)[0])
}
