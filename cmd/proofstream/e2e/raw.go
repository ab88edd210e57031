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

// StreamRequest returns the bytes of an HTTP/1.1 request for a stream. The query starts with a question mark, or is empty. Headers are as in
// "Origin: https://a.example".
func StreamRequest(query string, headers ...string) string {
	return strings.Join(append([]string{"GET /events" + query + " HTTP/1.1", "Host: x"}, headers...), "\r\n") + "\r\n\r\n"
}

// DialRaw opens a TCP connection to the server and sends a request on it. Reads and writes fail after waitfor.Patience. local is
// the client's address; nil lets the kernel choose.
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

// Raw is DialRaw from any address. It fails the test on an error, and closes the connection when the test ends.
func (s Server) Raw(t testing.TB, request string) *net.TCPConn {
	t.Helper()
	conn, err := s.DialRaw(nil, request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Stalled opens a stream with the smallest receive buffer that the kernel gives, reads 12 bytes and then nothing more.
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

// FreeAddress returns a loopback address and port on which no process listens at the moment.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return fmt.Sprint("127.0.0.1:", natstest.FreePorts(t, 1)[0])
}
