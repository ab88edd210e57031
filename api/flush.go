package api

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
)

// flushed is a response that stays with net/http: HTTP/2, and platforms or tests that want it so.
type flushed struct {
	w     http.ResponseWriter
	ctl   *http.ResponseController
	ctx   context.Context
	until deadline
	begun bool
}

func newFlushed(c echo.Context) *flushed {
	w := c.Response().Writer // Echo's own Response hides the error of Flush
	c.Response().Committed = true
	return &flushed{w: w, ctl: http.NewResponseController(w), ctx: c.Request().Context()}
}

// onGone calls back when the client has left. The returned function ends that.
func (f *flushed) onGone(call func()) (stop func() bool) { return context.AfterFunc(f.ctx, call) }

func (f *flushed) send(frames []byte) error {
	f.until.renew(f.ctl, slowLeast, slowMost)
	if !f.begun {
		f.w.WriteHeader(http.StatusOK)
		f.begun = true
	}
	if _, err := f.w.Write(frames); err != nil {
		return err
	}
	return f.ctl.Flush()
}
