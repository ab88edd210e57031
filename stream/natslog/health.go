package natslog

import (
	"context"
	"sync"
	"time"
)

// health knows whether the log stores, and why not.
type health struct {
	mu      sync.Mutex // guards all below
	trouble error      // nil while appends are expected to succeed
	doubted time.Time  // when something last spoke against it
	refused time.Time  // when that last was the answer to an append
	stored  time.Time  // when a cluster last acknowledged one
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
	h.begin(why)
}

// begin is worsen. Callers hold h.mu.
func (h *health) begin(why error) {
	h.doubted = time.Now()
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

// failed is worsen for an append to a cluster, unless another was acknowledged since it began: what an election
// swallowed is no news once that is over.
func (h *health) failed(begun time.Time, why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stored.After(begun) {
		return
	}
	if !passing(why) {
		h.refused = time.Now()
	}
	h.begin(why)
}

// since returns how long ago something last spoke against the log, an append was refused, and one stored.
func (h *health) since() (doubted, refused, stored time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.doubted), time.Since(h.refused), time.Since(h.stored)
}

// acknowledged ends trouble with the best of proofs.
func (h *health) acknowledged() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stored = time.Now()
	if h.trouble != errClosed {
		h.trouble = nil
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
