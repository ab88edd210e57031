//go:build !linux

package sse

import "context"

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
				c.disconnected(closeReasonOf(err))
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
