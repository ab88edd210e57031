package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// streamRequest is a raw request for a stream; the query begins with a question mark, or is empty.
func streamRequest(query string) string {
	return "GET /events" + query + " HTTP/1.1\r\nHost: x\r\n\r\n"
}

// dialRaw opens a TCP connection and sends a request on it. Reads and writes fail after patience. With a local address
// the connection comes from there; nil is any.
func (s server) dialRaw(local net.IP, request string) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: patience}
	if local != nil {
		d.LocalAddr = &net.TCPAddr{IP: local}
	}
	conn, err := d.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		conn.Close()
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// raw is dialRaw for a connection that must come about, and that ends with the test.
func (s server) raw(t testing.TB, request string) *net.TCPConn {
	t.Helper()
	conn, err := s.dialRaw(nil, request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// stalled opens a stream, reads its first bytes and then nothing more, with as small a window as the kernel gives.
func (s server) stalled(t testing.TB) *net.TCPConn {
	t.Helper()
	conn := s.raw(t, "")
	conn.SetReadBuffer(1)
	io.WriteString(conn, streamRequest(""))
	if _, err := conn.Read(make([]byte, 12)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// freePorts returns ports of the loopback that nobody listens on right now.
func freePorts(t testing.TB, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// freeAddress returns an address of the loopback that nobody listens on right now.
func freeAddress(t testing.TB) string {
	t.Helper()
	return fmt.Sprint("127.0.0.1:", freePorts(t, 1)[0])
}
