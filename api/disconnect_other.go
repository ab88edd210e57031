//go:build !linux

package api

import "context"

// disconnects notices that the other side of a connection taken over has closed: by a reading
// goroutine for each, where there is no epoll.
type disconnects struct{}

type watched struct{}

func newDisconnects() (*disconnects, error) { return &disconnects{}, nil }

func (h *disconnects) watch(t *taken) {
	go func() {
		var b [64]byte
		for {
			if _, err := t.conn.Read(b[:]); err != nil {
				t.disconnected(closeReasonOf(err))
				return
			}
		}
	}()
}

func (h *disconnects) forget(*taken) {}

func (h *disconnects) run(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func (h *disconnects) close() error { return nil }
