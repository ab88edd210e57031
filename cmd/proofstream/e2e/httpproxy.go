package e2e

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"proofstream/stream/waitfor"
)

// HTTPProxy is a reverse proxy in front of a program. It records the requests, and can change, replace and cut responses.
type HTTPProxy struct {
	*httptest.Server

	mu         sync.Mutex                  // guards the fields below
	replace    map[string]http.HandlerFunc // by path; other requests are forwarded
	onRequest  func(*http.Request)         // nil: requests stay as they are
	onResponse func(*http.Response)        // nil: responses stay as they are
	requests   []string                    // paths and queries, in order
	cursors    []string                    // Last-Event-ID of requests for streams, in order
	responses  map[string]int              // by path: response headers that the program has sent
}

// StartHTTPProxy starts a proxy that runs until the test ends.
func StartHTTPProxy(t testing.TB, p *Program) *HTTPProxy {
	t.Helper()
	to, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	f := &HTTPProxy{replace: map[string]http.HandlerFunc{}, responses: map[string]int{}}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.FlushInterval = -1
	proxy.ErrorLog = log.New(io.Discard, "", 0) // the tests cut streams on purpose
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	proxy.ModifyResponse = func(r *http.Response) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.responses[r.Request.URL.Path]++
		if f.onResponse != nil {
			f.onResponse(r)
		}
		return nil
	}
	f.Server = ServeHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handler := f.record(r); handler != nil {
			handler(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	return f
}

// record records a request, changes it, and returns the handler that replaces the program, nil when none does.
func (f *HTTPProxy) record(r *http.Request) http.HandlerFunc {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.URL.RequestURI())
	if r.URL.Path == "/events" {
		f.cursors = append(f.cursors, r.Header.Get("Last-Event-ID"))
	}
	if f.onRequest != nil {
		f.onRequest(r)
	}
	return f.replace[r.URL.Path]
}

// OnRequest sets a function that changes each request before the proxy forwards or replaces it. It runs with the proxy locked, so it
// must not call the proxy.
func (f *HTTPProxy) OnRequest(change func(*http.Request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onRequest = change
}

// OnResponse sets a function that changes each response of the program before the proxy forwards it. It runs with the proxy locked,
// so it must not call the proxy.
func (f *HTTPProxy) OnResponse(change func(*http.Response)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onResponse = change
}

// Replace makes handler serve the requests for a path; nil forwards them to the program again. It closes all open connections of
// clients.
func (f *HTTPProxy) Replace(path string, handler http.HandlerFunc) {
	f.mu.Lock()
	f.replace[path] = handler
	f.mu.Unlock()
	f.CloseClientConnections()
}

// Cut closes the connection without a response.
func Cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// Unavailable responds with 503, as a proxy does whose upstream is down.
func Unavailable(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusServiceUnavailable)
}

// Hang sends no response and returns when the client disconnects.
func Hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// Requests returns the paths and queries of all requests, in order.
func (f *HTTPProxy) Requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// ForgetRequests makes Requests start again from none.
func (f *HTTPProxy) ForgetRequests() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = nil
}

// LastEventIDs returns the Last-Event-ID of each request for a stream, "" when absent, without consecutive duplicates.
func (f *HTTPProxy) LastEventIDs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Compact(slices.Clone(f.cursors))
}

// requestsFor returns the paths and queries of the requests for a path.
func (f *HTTPProxy) requestsFor(path string) []string {
	return slices.DeleteFunc(f.Requests(), func(request string) bool {
		requested, _, _ := strings.Cut(request, "?")
		return requested != path
	})
}

// Count returns the number of requests for a path.
func (f *HTTPProxy) Count(path string) int { return len(f.requestsFor(path)) }

// Last returns the path and query of the last request for a path, of which there must be one.
func (f *HTTPProxy) Last(path string) string {
	requests := f.requestsFor(path)
	return requests[len(requests)-1]
}

// AwaitCount waits for n requests for a path.
func (f *HTTPProxy) AwaitCount(t testing.TB, path string, n int) {
	t.Helper()
	waitfor.Until(t, waitfor.Patience, func() bool { return f.Count(path) >= n }, func() string {
		return fmt.Sprintf("%s was requested %d times, want %d", path, f.Count(path), n)
	})
}

// AwaitResponses waits until the program has responded to n requests for a path. Signups posted afterwards are in none of them.
func (f *HTTPProxy) AwaitResponses(t testing.TB, path string, n int) {
	t.Helper()
	count := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.responses[path]
	}
	waitfor.Until(t, waitfor.Patience, func() bool { return count() >= n }, func() string {
		return fmt.Sprintf("%d responses to requests for %s, want %d", count(), path, n)
	})
}

// ThrottledBody delays each read of a response body by 5 ms and returns at most 400 bytes, about two frames.
type ThrottledBody struct{ io.ReadCloser }

// Read implements io.Reader.
func (l ThrottledBody) Read(b []byte) (int, error) {
	time.Sleep(5 * time.Millisecond)
	return l.ReadCloser.Read(b[:min(len(b), 400)])
}

// FakeStream returns a handler that serves a stream: a ready event with id made-1, then each text received from frames. The stream
// ends when the channel is closed or the client disconnects.
func FakeStream(frames <-chan string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
		h.Set("Access-Control-Allow-Origin", "*")
		now := time.Now().UTC().Format(timeFormat)
		fmt.Fprintf(w, "event: ready\nretry: 1000\ndata: {\"replay\":\"fresh\",\"time\":%q}\nid: made-1\n\n", now)
		for {
			w.(http.Flusher).Flush()
			select {
			case frame, more := <-frames:
				if !more {
					return
				}
				io.WriteString(w, frame)
			case <-r.Context().Done():
				return
			}
		}
	}
}

// timeFormat is the format of times in events.
const timeFormat = "2006-01-02T15:04:05.000Z"

// SignupFrame returns the frame of a signup that was posted age ago. The service itself back-dates nothing. Fields have the form
// "name=value".
func SignupFrame(id string, age time.Duration, fields ...string) string {
	data := map[string]string{"img_path": "default", "user_name": "Ada", "offer_name": "Spring Sale",
		"at": time.Now().Add(-age).UTC().Format(timeFormat)}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		data[name] = value
	}
	return fmt.Sprintf("event: signup\ndata: %s\nid: %s\n\n", MustJSON(data), id)
}
