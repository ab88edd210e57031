package api

import (
	"context"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/stream"
)

// flushed is a response that stays with net/http: HTTP/2, and platforms or tests that want it so.
type flushed struct {
	w     http.ResponseWriter
	ctl   *http.ResponseController
	ctx   context.Context
	since atomic.Int64 // when the write under way began, in nanoseconds since 1970; 0 for none
	begun bool
}

func newFlushed(c echo.Context) *flushed {
	w := c.Response().Writer // Echo's own Response hides the error of Flush
	c.Response().Committed = true
	return &flushed{w: w, ctl: http.NewResponseController(w), ctx: c.Request().Context()}
}

// onGone calls back when the client has left, or was let go. The returned function ends that.
func (f *flushed) onGone(call func(stream.Ending)) (stop func() bool) {
	return context.AfterFunc(f.ctx, func() {
		if f.stuck() {
			call(stream.Slow)
		} else {
			call(stream.Gone)
		}
	})
}

// stuck tells whether the client does not take the write under way.
func (f *flushed) stuck() bool {
	since := f.since.Load()
	return since > 0 && time.Now().UnixNano()-since >= int64(slowLeast)
}

func (f *flushed) send(frames []byte) error {
	now := time.Now()
	f.since.Store(now.UnixNano())
	// The deadline is for this write alone: HTTP/2 would end an idle stream at one that is left.
	_ = f.ctl.SetWriteDeadline(now.Add(slowMost))
	defer f.ctl.SetWriteDeadline(time.Time{})
	err := f.write(frames)
	switch {
	case err == nil:
		f.since.Store(0)
	case f.stuck():
		return os.ErrDeadlineExceeded // HTTP/2 says only that the stream is closed
	}
	return err
}

func (f *flushed) write(frames []byte) error {
	if !f.begun {
		f.w.WriteHeader(http.StatusOK)
		f.begun = true
	}
	if _, err := f.w.Write(frames); err != nil {
		return err
	}
	return f.ctl.Flush()
}
