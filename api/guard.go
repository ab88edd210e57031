package api

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"
)

// requestHeader tells a client the number under which its request is logged. The number is always
// ours: one that comes with a request would let strangers write into the log.
const requestHeader = "X-Request-Id"

// requestID returns the number given to a request.
func requestID(c echo.Context) string { return c.Response().Header().Get(requestHeader) }

// bodyPolicy is for answers that are no pages: if a browser is made to show one, it may do nothing.
const bodyPolicy = "default-src 'none'; frame-ancestors 'none'"

// withGuard gives every request a number, every answer the headers that keep browsers from
// mistaking it for something else, and everything except streams a deadline.
func (s *Server) withGuard(next http.Handler) http.Handler {
	always := http.Header{ // nobody changes the values in place
		"X-Content-Type-Options":  {"nosniff"},
		"Referrer-Policy":         {"no-referrer"},
		"Content-Security-Policy": {bodyPolicy},
	}
	if s.o.HSTS {
		always.Set("Strict-Transport-Security", "max-age=31536000")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), always)
		w.Header().Set(requestHeader, rand.Text()[:16])
		s.limitTime(w, r)
		next.ServeHTTP(w, r)
	})
}

// limitTime sets deadlines for reading the request's body and, except for streams, which set their
// own for each write, for writing the answer. Connections that know none, such as those of tests,
// are let be. net/http takes both back when the request is done, or its connection is taken over.
func (s *Server) limitTime(w http.ResponseWriter, r *http.Request) {
	ctl := http.NewResponseController(w)
	until := time.Now().Add(s.o.Patience)
	if r.ContentLength != 0 {
		_ = ctl.SetReadDeadline(until)
	}
	if r.URL.Path != "/events" {
		_ = ctl.SetWriteDeadline(until.Add(s.o.Patience)) // later: that the body was slow can still be told
	}
}

// bodyRead takes the deadline for reading back, for past it net/http would take the client for gone.
func bodyRead(c echo.Context) {
	_ = http.NewResponseController(c.Response().Writer).SetReadDeadline(time.Time{})
}

// recovered turns a panic of a handler into an answer and a line in the log, with the place but
// without the value, in which there may be anything.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { // how net/http is told to cut the connection
				panic(cause)
			}
			s.o.Logger.Error("request handler panicked", "request", requestID(c), "path", c.Path(),
				"cause", describe(cause), "stack", string(debug.Stack()))
			err = fmt.Errorf("handler of %s panicked", c.Path())
		}()
		return next(c)
	}
}

// describe says what a panic was about, as far as it is safe to repeat.
func describe(cause any) string {
	if err, ok := cause.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a %T", cause)
}
