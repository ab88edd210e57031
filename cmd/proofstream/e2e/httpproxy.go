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

// HTTPProxy stands between clients and the program: it records what they ask for, and can cut, hold back, refuse and
// replace what the program answers.
type HTTPProxy struct {
	*httptest.Server

	Mu      sync.Mutex                  // guards the fields below
	replace map[string]http.HandlerFunc // by path; the others are passed on
	Change  func(*http.Request)         // before a request is passed on; nil is nothing
	Answer  func(*http.Response)        // before its answer is; nil is nothing
	Asked   []string                    // paths and queries, in order
	cursors []string                    // Last-Event-ID of requests for streams, in order
	answers map[string]int              // by path: requests that the program has answered, or begun to
}

func StartHTTPProxy(t testing.TB, p *Program) *HTTPProxy {
	t.Helper()
	to, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	f := &HTTPProxy{replace: map[string]http.HandlerFunc{}, answers: map[string]int{}}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.FlushInterval = -1
	proxy.ErrorLog = log.New(io.Discard, "", 0) // streams that end are what these tests are about
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	proxy.ModifyResponse = func(r *http.Response) error {
		f.Mu.Lock()
		defer f.Mu.Unlock()
		f.answers[r.Request.URL.Path]++
		if f.Answer != nil {
			f.Answer(r)
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

// record notes a request, changes it, and returns what answers it in the program's place, if anything does.
func (f *HTTPProxy) record(r *http.Request) http.HandlerFunc {
	f.Mu.Lock()
	defer f.Mu.Unlock()
	f.Asked = append(f.Asked, r.URL.RequestURI())
	if r.URL.Path == "/events" {
		f.cursors = append(f.cursors, r.Header.Get("Last-Event-ID"))
	}
	if f.Change != nil {
		f.Change(r)
	}
	return f.replace[r.URL.Path]
}

// Instead answers requests for a path from now on; nil has the program answer them again. Open connections end.
func (f *HTTPProxy) Instead(path string, handler http.HandlerFunc) {
	f.Mu.Lock()
	f.replace[path] = handler
	f.Mu.Unlock()
	f.CloseClientConnections()
}

// Cut ends a connection without an answer, as a network does that is gone.
func Cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// Unavailable is the answer of a proxy whose upstream is away.
func Unavailable(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusServiceUnavailable)
}

// Hang answers nothing until the client disconnects.
func Hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// Requests returns the paths and queries asked for so far.
func (f *HTTPProxy) Requests() []string {
	f.Mu.Lock()
	defer f.Mu.Unlock()
	return slices.Clone(f.Asked)
}

// LastEventIDs returns the Last-Event-ID of the requests for streams; of equal ones in a row, the first.
func (f *HTTPProxy) LastEventIDs() []string {
	f.Mu.Lock()
	defer f.Mu.Unlock()
	return slices.Compact(slices.Clone(f.cursors))
}

// requestsFor returns those of requests that are for a path.
func (f *HTTPProxy) requestsFor(path string) []string {
	return slices.DeleteFunc(f.Requests(), func(asked string) bool {
		before, _, _ := strings.Cut(asked, "?")
		return before != path
	})
}

// Count returns how often a path has been asked for.
func (f *HTTPProxy) Count(path string) int { return len(f.requestsFor(path)) }

// Last returns the path and query of the last request for a path.
func (f *HTTPProxy) Last(path string) string {
	asked := f.requestsFor(path)
	return asked[len(asked)-1]
}

// AwaitCount waits until a path has been asked for n times.
func (f *HTTPProxy) AwaitCount(t testing.TB, path string, n int) {
	t.Helper()
	waitfor.Until(t, waitfor.Patience, func() bool { return f.Count(path) >= n }, func() string {
		return fmt.Sprintf("%s was asked for %d times, want %d", path, f.Count(path), n)
	})
}

// AwaitAnswers waits until the program has answered n requests for a path: what is posted afterwards is in none of them.
func (f *HTTPProxy) AwaitAnswers(t testing.TB, path string, n int) {
	t.Helper()
	answered := func() int {
		f.Mu.Lock()
		defer f.Mu.Unlock()
		return f.answers[path]
	}
	waitfor.Until(t, waitfor.Patience, func() bool { return answered() >= n }, func() string {
		return fmt.Sprintf("%d requests for %s were answered, want %d", answered(), path, n)
	})
}

// SlowLine passes an answer on two frames or so at a time; the delay is what it is for.
type SlowLine struct{ io.ReadCloser }

func (l SlowLine) Read(b []byte) (int, error) {
	time.Sleep(5 * time.Millisecond)
	return l.ReadCloser.Read(b[:min(len(b), 400)])
}

// Made is a stream that a test makes up, frame by frame; it lasts until its channel is closed.
func Made(frames <-chan string) http.HandlerFunc {
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
				_, _ = io.WriteString(w, frame)
			case <-r.Context().Done():
				return
			}
		}
	}
}

const timeFormat = "2006-01-02T15:04:05.000Z"

// SignupFrame is a frame with an event of some age, which the service itself would not back-date.
func SignupFrame(id string, age time.Duration, fields ...string) string {
	data := map[string]string{"img_path": "default", "user_name": "Ada", "offer_name": "Spring Sale",
		"at": time.Now().Add(-age).UTC().Format(timeFormat)}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		data[name] = value
	}
	return fmt.Sprintf("event: signup\ndata: %s\nid: %s\n\n", MustJSON(data), id)
}
