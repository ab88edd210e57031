package api

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// requestHeader is the response header with the id under which a request is logged. The id is always generated here: one from
// the request would let clients write into the log.
const requestHeader = "X-Request-Id"

// requestID returns the id of a request: 16 characters, A to Z and 2 to 7.
func requestID(c echo.Context) string { return c.Response().Header().Get(requestHeader) }

// bodyPolicy is the Content-Security-Policy of responses that are not pages: a browser that shows one loads nothing.
const bodyPolicy = "default-src 'none'; frame-ancestors 'none'"

// withGuard gives every request an id, every response the headers for security, and everything except streams a deadline.
func (s *Server) withGuard(next http.Handler) http.Handler {
	always := http.Header{ // shared: the values must not be changed in place
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
		next.ServeHTTP(w, withOnePath(r))
	})
}

// postedTo are the first parts of paths that ignore a slash too many, at the start and at the end: backends join them to a base URL, and cannot follow a
// redirect without losing the body.
var postedTo = []string{"signup", "hooks"}

// withOnePath returns the request, for the one address of what it asks for.
func withOnePath(r *http.Request) *http.Request {
	path := "/" + strings.Trim(r.URL.Path, "/")
	first, _, _ := strings.Cut(path[1:], "/")
	if path == r.URL.Path || !slices.Contains(postedTo, first) {
		return r
	}
	address := *r.URL
	address.Path = path
	if address.RawPath != "" {
		address.RawPath = "/" + strings.Trim(address.RawPath, "/")
	}
	r = r.WithContext(r.Context())
	r.URL = &address
	return r
}

// limitTime sets deadlines for reading the request's body and, except for streams, which set one for each write, for writing
// the response. net/http removes both when the request is done or its connection is taken over. Errors are ignored: a
// httptest.ResponseRecorder has no deadlines.
func (s *Server) limitTime(w http.ResponseWriter, r *http.Request) {
	ctl := http.NewResponseController(w)
	until := time.Now().Add(s.o.ClientTimeout)
	if r.ContentLength != 0 {
		_ = ctl.SetReadDeadline(until)
	}
	if r.URL.Path != "/events" {
		_ = ctl.SetWriteDeadline(until.Add(s.o.ClientTimeout)) // later, so that a slow body still gets its response
	}
}

// endBodyDeadline removes the deadline for the body, which has been read: when it passes, net/http ends the request's context.
func endBodyDeadline(c echo.Context) {
	_ = http.NewResponseController(c.Response().Writer).SetReadDeadline(time.Time{})
}

// recovered turns a panic of a handler into a 500 and a log line, with the stack but without the value, which may hold
// anything.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { // net/http then cuts the connection
				panic(cause)
			}
			s.o.Logger.Error("request handler panicked", "request", requestID(c), "path", c.Path(),
				"cause", describe(cause), "stack", string(debug.Stack()))
			err = fmt.Errorf("handler of %s panicked", c.Path())
		}()
		return next(c)
	}
}

// describe returns the text of the runtime's panics, and only the type of others, whose text may hold anything.
func describe(cause any) string {
	if err, ok := cause.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a %T", cause)
}
