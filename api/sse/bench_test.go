package sse

import (
	"bytes"
	"net"
	"testing"
	"time"
)

// BenchmarkDeadline compares deadline with the plain alternative, which sets the deadline before each write, and with the
// write of one frame, which either comes before.
func BenchmarkDeadline(b *testing.B) {
	frame := bytes.Repeat([]byte("x"), 300)
	for _, bench := range []struct {
		name string
		do   func(conn net.Conn, d *deadline) error
	}{
		{"renewed when near", func(conn net.Conn, d *deadline) error {
			d.renew(conn, time.Now(), checkEvery/2, checkEvery)
			return nil
		}},
		{"set each time", func(conn net.Conn, _ *deadline) error { return conn.SetWriteDeadline(time.Now().Add(checkEvery)) }},
		{"the write itself", func(conn net.Conn, _ *deadline) error { _, err := conn.Write(frame); return err }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			conn, d := readConn(b), &deadline{}
			b.ReportAllocs()
			for b.Loop() {
				if err := bench.do(conn, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
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
