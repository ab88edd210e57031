package sse

import (
	"context"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"proofstream/stream/registry"
)

// flushed is a response that stays with net/http: over HTTP/2, and with Options.Flush.
type flushed struct {
	w        http.ResponseWriter
	ctl      *http.ResponseController
	ctx      context.Context
	opened   time.Time    // with a monotonic reading
	since    atomic.Int64 // the start of the write under way, in nanoseconds after opened; 0 for none
	headSent bool         // the head of the response is written
}

func newFlushed(w http.ResponseWriter, r *http.Request) *flushed {
	return &flushed{w: w, ctl: http.NewResponseController(w), ctx: r.Context(), opened: time.Now()}
}

// onGone calls back once when the request's context ends: the client has disconnected, or was cut off because it stalled. stop
// prevents that.
func (f *flushed) onGone(call func(registry.CloseReason)) (stop func() bool) {
	return context.AfterFunc(f.ctx, func() {
		if f.stalled(time.Now()) {
			call(registry.Slow)
		} else {
			call(registry.Gone)
		}
	})
}

// startWrite records the start of a write.
func (f *flushed) startWrite(now time.Time) { f.since.Store(max(1, int64(now.Sub(f.opened)))) }

// stalled reports whether the write under way has lasted for minStall.
func (f *flushed) stalled(now time.Time) bool {
	since := f.since.Load()
	return since > 0 && now.Sub(f.opened)-time.Duration(since) >= minStall
}

func (f *flushed) send(frames []byte) error {
	now := time.Now()
	f.startWrite(now)
	// The deadline is for this write alone: HTTP/2 would end an idle stream at one that is left.
	_ = f.ctl.SetWriteDeadline(now.Add(MaxStall))
	defer f.ctl.SetWriteDeadline(time.Time{})
	err := f.write(frames)
	switch {
	case err == nil:
		f.since.Store(0)
	case f.stalled(time.Now()):
		return os.ErrDeadlineExceeded // HTTP/2 says only that the stream is closed
	}
	return err
}

func (f *flushed) write(frames []byte) error {
	if !f.headSent {
		f.w.WriteHeader(http.StatusOK)
		f.headSent = true
	}
	if _, err := f.w.Write(frames); err != nil {
		return err
	}
	return f.ctl.Flush()
}
