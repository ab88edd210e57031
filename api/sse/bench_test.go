package sse

import (
	"bytes"
	"net"
	"testing"
)

// BenchmarkWrite compares one write to a plain TCP stream, whose descriptor is taken over, with package net's: alone, and with the deadline
// that a write there needs.
func BenchmarkWrite(b *testing.B) {
	frame := bytes.Repeat([]byte("x"), 300)
	for _, bench := range []struct {
		name string
		do   func(c *hijacked, conn net.Conn) error
	}{
		{"stream", func(c *hijacked, _ net.Conn) error { _, err := c.write(frame, true); return err }},
		{"net", func(_ *hijacked, conn net.Conn) error { _, err := conn.Write(frame); return err }},
		{"net with deadline", func(_ *hijacked, conn net.Conn) error { return writeTo(conn, frame) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			conn := readConn(b)
			c := &hijacked{conn: conn}
			if bench.name == "stream" {
				c = watchedStream(b, conn)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := bench.do(c, conn); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// watchedStream returns a stream of a connection, as hijack makes it.
func watchedStream(t testing.TB, conn net.Conn) *hijacked {
	t.Helper()
	d, err := newDisconnects()
	if err != nil {
		t.Fatal(err)
	}
	c := &hijacked{server: &Server{disconnects: d}, conn: conn}
	d.watch(c)
	t.Cleanup(func() {
		d.forget(c)
		c.close()
		d.close()
	})
	return c
}

// readConn returns a connection whose other end reads everything.
func readConn(b *testing.B) net.Conn {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for buf := make([]byte, 64<<10); err == nil; {
			_, err = conn.Read(buf)
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return conn
}
