//go:build !linux

package sse

import (
	"context"
	"net"
)

// disconnects notices that the other side of a connection taken over has closed: with a reading goroutine for each
// connection, since there is no epoll.
type disconnects struct{}

type watched struct{}

func newDisconnects() (*disconnects, error) { return &disconnects{}, nil }

func (d *disconnects) watch(c *hijacked) {
	go func() {
		var b [64]byte
		for {
			if _, err := c.conn.Read(b[:]); err != nil {
				c.sub.End(closeReasonOf(err))
				closeTCP(c.conn) // without TLS's close_notify, which could block for seconds
				return
			}
		}
	}()
}

func (d *disconnects) forget(*hijacked) {}

func (d *disconnects) run(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func (d *disconnects) close() error { return nil }

// write writes b, and may block. A reader that accepts some of it now and then has no time limit.
func (c *hijacked) write(b []byte, _ bool) (int, error) { return len(b), writeTo(c.conn, b) }

func (c *hijacked) close() { c.conn.Close() }

func closeTCP(conn net.Conn) {
	if tcp := tcpOf(conn); tcp != nil {
		tcp.Close()
		return
	}
	conn.Close()
}
