package api

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// wholeFrames is one or more frames or heartbeats, none of them in part.
var wholeFrames = regexp.MustCompile(`^((event: (ready|signup)\n(retry: \d+\n)?data: [^\n]*\nid: [a-z0-9]+-\d+\n\n)|(:\n))+$`)

// Every write of a stream is seen as it is made: a reader that wakes up finds whole frames only.
func TestNoFrameIsSplitOverTwoWrites(t *testing.T) {
	var seen writes
	taken := func(o *setup) {
		o.wrapListener = func(l net.Listener) net.Listener { return watchedListener{l, &seen} }
	}
	kept := func(o *setup) {
		o.Flush = true
		o.wrapHandler = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/events" {
					w = watchedResponse{w, &seen}
				}
				h.ServeHTTP(w, r)
			})
		}
	}
	for name, change := range map[string]func(*setup){"connections taken over": taken, "kept with net/http": kept} {
		t.Run(name, func(t *testing.T) {
			seen.all = nil
			h := serve(t, change)
			go h.o.Registry.Heartbeat(t.Context(), 3*time.Millisecond)
			o := h.open(t, "/events")
			o.next(t, 1)
			long := strings.Repeat("x", 2000)
			var posting sync.WaitGroup
			for range 4 { // at once, so that several frames wait for one write
				posting.Go(func() {
					for i := range 25 {
						h.post(t, fmt.Sprintf(`{"user_name":"%d","url":"/%s","img_path":"/%s"}`, i, long, long))
					}
				})
			}
			o.next(t, 100)
			posting.Wait()
			seen.check(t)
		})
	}
}

type writes struct {
	mu  sync.Mutex
	all []string
}

func (w *writes) add(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, string(b))
}

func (w *writes) check(t *testing.T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	frames := 0
	for _, b := range w.all {
		if head, body, found := strings.Cut(b, "\r\n\r\n"); found && strings.HasPrefix(head, "HTTP/") {
			if !strings.Contains(head, "text/event-stream") {
				continue // the response to a post
			}
			b = body
		}
		if size, chunk, found := strings.Cut(b, "\r\n"); found {
			n, err := strconv.ParseUint(size, 16, 32)
			if err != nil || int(n)+2 != len(chunk) {
				t.Fatalf("a write is not one chunk: %q", b)
			}
			b = strings.TrimSuffix(chunk, "\r\n")
		}
		if !wholeFrames.MatchString(b) {
			t.Fatalf("a write is not of whole frames: %.300q", b)
		}
		frames += strings.Count(b, "event: signup")
	}
	if frames != 100 {
		t.Errorf("got %d frames in %d writes, want 100: writes were not seen", frames, len(w.all))
	}
}

type watchedListener struct {
	net.Listener
	seen *writes
}

func (l watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return watchedConn{conn, l.seen}, err
}

type watchedConn struct {
	net.Conn
	seen *writes
}

func (c watchedConn) Write(b []byte) (int, error) {
	c.seen.add(b)
	return c.Conn.Write(b)
}

type watchedResponse struct {
	http.ResponseWriter
	seen *writes
}

func (w watchedResponse) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w watchedResponse) Write(b []byte) (int, error) {
	w.seen.add(b)
	return w.ResponseWriter.Write(b)
}
