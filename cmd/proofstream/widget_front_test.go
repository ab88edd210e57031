package main

import (
	"encoding/json"
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
)

// front stands between pages and the program: it can hold back, refuse and make up what the program says.
type front struct {
	*httptest.Server
	mu     sync.Mutex
	events http.HandlerFunc     // instead of the program's; nil passes on
	change func(*http.Request)  // what becomes of a request that is passed on; nil is nothing
	answer func(*http.Response) // the same for its answer
	asked  []string             // paths and queries asked for, in order
}

// inFront puts a front before a program.
func inFront(t *testing.T, p *program) *front {
	t.Helper()
	to, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.FlushInterval = -1
	proxy.ErrorLog = log.New(io.Discard, "", 0) // ends of streams are what these tests are about
	f := &front{}
	proxy.ModifyResponse = func(r *http.Response) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.answer != nil {
			f.answer(r)
		}
		return nil
	}
	proxy.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) { panic(http.ErrAbortHandler) }
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.asked = append(f.asked, r.URL.RequestURI())
		events := f.events
		if f.change != nil {
			f.change(r)
		}
		f.mu.Unlock()
		if events != nil && r.URL.Path == "/events" {
			events(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	f.Config.ErrorLog = proxy.ErrorLog
	f.Start()
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

// instead answers requests for the stream from now on, open ones end; nil is the program again.
func (f *front) instead(events http.HandlerFunc) {
	f.mu.Lock()
	f.events = events
	f.mu.Unlock()
	f.CloseClientConnections()
}

// count returns how often a path has been asked for.
func (f *front) count(path string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, asked := range f.asked {
		if before, _, _ := strings.Cut(asked, "?"); before == path {
			n++
		}
	}
	return n
}

// last returns the path and query of the last request for a path.
func (f *front) last(path string) (asked string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, asked = range slices.Backward(f.asked) {
		if before, _, _ := strings.Cut(asked, "?"); before == path {
			return asked
		}
	}
	return ""
}

// awaitCount waits until a path has been asked for n times.
func (f *front) awaitCount(t *testing.T, path string, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); f.count(path) < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s was asked for %d times within %v, want %d", path, f.count(path), patience, n)
		}
	}
}

// slowLine passes an answer on two frames or so at a time; the delay is what it is for.
type slowLine struct{ io.ReadCloser }

func (l slowLine) Read(b []byte) (int, error) {
	time.Sleep(5 * time.Millisecond)
	return l.ReadCloser.Read(b[:min(len(b), 400)])
}

// made is a stream that a test makes up, frame by frame; it lasts until its channel is closed.
func made(frames <-chan string) http.HandlerFunc {
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

// signupFrame is a frame with an event of some age, which the service itself would not back-date.
func signupFrame(id string, age time.Duration, fields ...string) string {
	data := map[string]string{"img_path": "default", "user_name": "Ada", "offer_name": "Spring Sale",
		"at": time.Now().Add(-age).UTC().Format(timeFormat)}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		data[name] = value
	}
	b, _ := json.Marshal(data) // strings always can
	return fmt.Sprintf("event: signup\ndata: %s\nid: %s\n\n", b, id)
}
