//go:build !linux

package api

import "context"

// hangups notices that the other side of a connection taken over has closed: by a reading
// goroutine for each, where there is no epoll.
type hangups struct{}

type watched struct{}

func newHangups() (*hangups, error) { return &hangups{}, nil }

func (h *hangups) watch(t *taken) {
	go func() {
		var b [64]byte
		for {
			if _, err := t.conn.Read(b[:]); err != nil {
				t.hungUp(endingOf(err))
				return
			}
		}
	}()
}

func (h *hangups) forget(*taken) {}

func (h *hangups) run(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}
