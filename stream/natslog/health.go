package natslog

import (
	"context"
	"sync"
)

// health knows whether the log stores, and why not.
type health struct {
	mu      sync.Mutex // guards all below
	trouble error      // nil while appends are expected to succeed
	ctx     context.Context
	cancel  context.CancelFunc
}

// good returns a context that ends when trouble begins, or the trouble there is.
func (h *health) good() (context.Context, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx == nil {
		h.ctx, h.cancel = context.WithCancel(context.Background())
	}
	return h.ctx, h.trouble
}

// worsen begins trouble, or goes on with it: the first reason stays.
func (h *health) worsen(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.trouble != nil {
		return
	}
	h.trouble = why
	if h.cancel != nil {
		h.cancel()
		h.ctx, h.cancel = nil, nil
	}
}

// explain gives trouble that lasts a newer reason.
func (h *health) explain(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.trouble != nil && h.trouble != errClosed {
		h.trouble = why
	}
}

// mend ends trouble.
func (h *health) mend() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.trouble != errClosed {
		h.trouble = nil
	}
}

func (h *health) why() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.trouble
}
