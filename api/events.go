package api

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/stream"
)

// Delays asked of browsers that find the house full.
const (
	busyLeast = 5 * time.Second
	busyMost  = 30 * time.Second
)

// getEvents opens a stream. Only a wrong request is answered with an error status, for that ends a
// browser's EventSource for good (WHATWG HTML section 9.2.3); all else is told in the stream.
func (s *Server) getEvents(c echo.Context) error {
	r := c.Request()
	site, err := s.siteOf(r)
	if err != nil {
		return err
	}
	recent, err := count(r, "recent", 0, 0, 20)
	if err != nil {
		return err
	}
	sub, welcome, err := s.o.Registry.Join(r.Context(), stream.Request{
		Site: site.Name, Position: positionOf(r), Recent: recent,
	})
	switch {
	case errors.Is(err, stream.ErrDraining):
		return s.turnAway(c, s.comeBack())
	case err != nil: // a full house, or a log that cannot be asked now
		return s.turnAway(c, between(busyLeast, busyMost))
	}
	retry := between(s.o.Retry*7/10, s.o.Retry*13/10)
	opening := stream.ReadyFrame(welcome.Position, welcome.Replay, welcome.Reason, time.Now(), retry)
	s.o.Logger.Debug("stream opened", "site", site.Name, "replay", welcome.Replay, "reason", welcome.Reason)
	return s.stream(c, sub, opening)
}

// positionOf returns the last id that a subscriber saw, empty when it names none. The header wins:
// an EventSource that reconnects by itself keeps the address it began with.
func positionOf(r *http.Request) string {
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		return id
	}
	q := r.URL.Query()
	for _, name := range []string{"last_event_id", "lastEventId", "Last-Event-ID"} {
		if id := q.Get(name); id != "" {
			return id
		}
	}
	return ""
}

// stream writes a subscription to its connection until either ends: on a goroutine of its own
// where the connection can be taken over, else here.
func (s *Server) stream(c echo.Context, sub *stream.Subscription, opening []byte) error {
	setStreamHeaders(c.Response().Header())
	if t := s.takeOver(c); t != nil {
		s.streams.Add(1)
		go func() {
			defer s.streams.Done()
			t.owner = sub
			s.hangups.watch(t)
			s.write(t, sub, opening)
			s.hangups.forget(t)
			t.conn.Close()
		}()
		return nil
	}
	f := newFlushed(c)
	stop := f.onGone(func() { sub.End(stream.Gone) })
	defer stop()
	s.write(f, sub, opening)
	panic(http.ErrAbortHandler) // ends the stream as incomplete, so that the client comes back
}

// write is the life of a stream.
func (s *Server) write(w wire, sub *stream.Subscription, opening []byte) {
	err := w.send(opening)
	for err == nil {
		var batch stream.Batch
		if batch, err = sub.Next(); err != nil {
			break
		}
		if err = w.send(batch.Bytes); err == nil {
			s.o.Registry.Sent(batch)
		}
	}
	if errors.Is(err, stream.Drained) {
		_ = w.send(stream.BusyFrame(s.comeBack())) // who has left need not be told
	}
	sub.Close(endingOf(err))
}

// turnAway answers with a stream that holds only the request to come back later.
func (s *Server) turnAway(c echo.Context, retry time.Duration) error {
	setStreamHeaders(c.Response().Header())
	busy := stream.BusyFrame(retry)
	if t := s.takeOver(c); t != nil {
		defer t.conn.Close()
		_ = t.send(busy)
		return nil
	}
	_ = newFlushed(c).send(busy)
	panic(http.ErrAbortHandler)
}

// comeBack is the delay asked of a browser whose stream a drain ends.
func (s *Server) comeBack() time.Duration { return between(time.Second, max(s.o.Grace, time.Second)) }

// between returns a random duration, both bounds included, in whole milliseconds.
func between(least, most time.Duration) time.Duration {
	span := int64((most - least) / time.Millisecond)
	return least + time.Duration(rand.Int64N(span+1))*time.Millisecond
}

func setStreamHeaders(h http.Header) {
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache, no-store, no-transform")
	h.Set("X-Accel-Buffering", "no") // nginx: pass each write on at once
	h.Set("X-Content-Type-Options", "nosniff")
}
