package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// faulty is a minimal server that is correct except for what deliver changes.
type faulty struct {
	mu      sync.Mutex // guards all fields below
	frames  []string
	streams map[int]chan string
	joined  int
	// deliver returns the bytes to send to a stream (from 0) for an event (from 1); "end" closes the stream.
	deliver func(stream, event int, frame string) string
}

func (s *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/signup":
		s.signup(w, r)
	case "/events":
		s.events(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *faulty) signup(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer right" {
		http.Error(w, "Bad or missing API key", http.StatusUnauthorized)
		return
	}
	var body map[string]string
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.frames) + 1
	frame := fmt.Sprintf("event: signup\ndata: {\"user_name\":%q}\nid: f-%d\n\n", body["user_name"], n)
	s.frames = append(s.frames, frame)
	for stream, c := range s.streams {
		c <- s.deliver(stream, n, frame)
	}
	fmt.Fprintf(w, `{"id":"f-%d","duplicate":false}`, n)
}

func (s *faulty) events(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	at := len(s.frames)
	if _, last, ok := strings.Cut(r.Header.Get("Last-Event-ID"), "f-"); ok {
		at, _ = strconv.Atoi(last)
	}
	stream, c := s.joined, make(chan string, 1000)
	s.joined++
	s.streams[stream] = c
	missed := strings.Join(s.frames[at:], "")
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.streams, stream)
		s.mu.Unlock()
	}()
	fmt.Fprintf(w, ":\nevent: ready\ndata: {}\nid: f-%d\n\n%s", at, missed)
	for {
		_ = http.NewResponseController(w).Flush()
		select {
		case frame := <-c:
			if frame == "end" {
				return
			}
			fmt.Fprint(w, frame)
		case <-r.Context().Done():
			return
		}
	}
}

func startFaulty(t *testing.T, secure bool, deliver func(stream, event int, frame string) string) *httptest.Server {
	s := &faulty{streams: map[int]chan string{}, deliver: deliver}
	server := httptest.NewUnstartedServer(s)
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

func deliverAll(_, _ int, frame string) string { return frame }
