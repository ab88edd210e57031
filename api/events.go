package api

import (
	"errors"
	"log/slog"
	"maps"
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
	site, err := s.siteOf(c)
	if err != nil {
		return err
	}
	recent, err := count(c, "recent", 0, 0, 20)
	if err != nil {
		return err
	}
	sub, welcome, leave, err := s.join(r, stream.Request{Site: site.Name, Position: positionOf(c), Recent: recent})
	switch {
	case errors.Is(err, stream.ErrDraining):
		return s.turnAway(c, s.comeBack())
	case err != nil: // a full house, or a log that cannot be asked now
		return s.turnAway(c, between(busyLeast, busyMost))
	}
	retry := between(s.o.Retry*7/10, s.o.Retry*13/10)
	opening := stream.ReadyFrame(welcome.Position, welcome.Replay, welcome.Reason, time.Now(), retry)
	return s.stream(c, sub, opening, s.followed(c, site.Name, welcome, leave))
}

// join lets a subscriber in where there is room for one more, of all and of its address. The
// caller must call leave in the end, if there is no error.
func (s *Server) join(r *http.Request, q stream.Request) (sub *stream.Subscription, w stream.Welcome, leave func(), err error) {
	if s.draining.Load() {
		return nil, w, nil, stream.ErrDraining
	}
	if err := s.begun(); err != nil {
		return nil, w, nil, err
	}
	if leave = s.crowd.enter(proxies(s.o.TrustedProxies), r); leave == nil {
		s.metrics.crowded.Add(1)
		return nil, w, nil, stream.ErrFull
	}
	if sub, w, err = s.o.Registry.Join(r.Context(), q); err != nil {
		leave()
	}
	return sub, w, leave, err
}

// followed tells of a stream in the log where that is asked for, now and when the function
// returned is called at its end. What it needs for that no other stream has to carry.
func (s *Server) followed(c echo.Context, site string, w stream.Welcome, leave func()) (ended func(stream.Ending)) {
	if !s.o.Logger.Enabled(c.Request().Context(), slog.LevelDebug) {
		return func(stream.Ending) { leave() }
	}
	begun, logger := time.Now(), s.o.Logger.With("site", site, "request", requestID(c))
	logger.Debug("stream opened", "replay", w.Replay, "reason", w.Reason)
	return func(why stream.Ending) {
		leave()
		logger.Debug("stream ended", "reason", string(why), "duration", time.Since(begun))
	}
}

// positionOf returns the last id that a subscriber saw, empty when it names none. The header wins:
// an EventSource that reconnects by itself keeps the address it began with.
func positionOf(c echo.Context) string {
	if id := c.Request().Header.Get("Last-Event-ID"); id != "" {
		return id
	}
	for _, name := range []string{"last_event_id", "lastEventId", "Last-Event-ID"} {
		if id := queryValue(c.Request(), name); id != "" {
			return id
		}
	}
	return ""
}

// stream writes a subscription to its connection until either ends: on a goroutine of its own
// where the connection can be taken over, else here.
func (s *Server) stream(c echo.Context, sub *stream.Subscription, opening []byte, ended func(stream.Ending)) error {
	maps.Copy(c.Response().Header(), streamHeaders)
	s.streams.Add(1) // while net/http still waits for this request: Wait must not miss the stream
	if t := s.takeOver(c, opening); t != nil {
		t.sub, t.ended = sub, ended
		s.hangups.watch(t)
		go t.live(s)
		return nil
	}
	defer s.streams.Add(-1)
	f := newFlushed(c)
	stop := f.onGone(sub.End)
	defer stop()
	ended(s.write(f, sub, f.send(opening)))
	panic(http.ErrAbortHandler) // ends the stream as incomplete, so that the client comes back
}

// write is the life of a stream whose opening was sent with err. It returns why the stream ended.
func (s *Server) write(w wire, sub *stream.Subscription, err error) stream.Ending {
	for err == nil {
		var batch stream.Batch
		if batch, err = sub.Next(); err != nil {
			break
		}
		if err = w.send(batch.Bytes); err == nil {
			s.o.Registry.Sent(batch)
		}
	}
	return s.finish(w, sub, err)
}

// finish tells a browser to come back, where the service ends the stream, and closes the
// subscription.
func (s *Server) finish(w wire, sub *stream.Subscription, err error) stream.Ending {
	if errors.Is(err, stream.Drained) && w.send(stream.BusyFrame(s.comeBack())) == nil {
		time.Sleep(s.linger())
	}
	why := endingOf(err)
	sub.Close(why)
	return why
}

// turnAway answers with a stream that holds only the request to come back later.
func (s *Server) turnAway(c echo.Context, retry time.Duration) error {
	maps.Copy(c.Response().Header(), streamHeaders)
	busy := stream.BusyFrame(retry)
	stay, leave := s.lingerers.enter(s.linger())
	if t := s.takeOver(c, busy); t != nil {
		if t.open() != nil {
			stay = 0 // who has left need not be told
		}
		time.AfterFunc(stay, func() { // without what net/http keeps for a request
			t.conn.Close()
			leave()
		})
		return nil
	}
	defer leave()
	_ = newFlushed(c).send(busy)
	time.Sleep(stay)
	panic(http.ErrAbortHandler)
}

// comeBack is the delay asked of a browser whose stream a drain ends.
func (s *Server) comeBack() time.Duration { return between(time.Second, max(s.o.Grace, time.Second)) }

// between returns a random duration, both bounds included, in whole milliseconds.
func between(least, most time.Duration) time.Duration {
	span := int64((most - least) / time.Millisecond)
	return least + time.Duration(rand.Int64N(span+1))*time.Millisecond
}

// streamHeaders are those of every stream, beside what withGuard and CORS add. Nobody changes the values in place.
var streamHeaders = http.Header{
	"Content-Type":           {"text/event-stream; charset=utf-8"},
	"Cache-Control":          {"no-cache, no-store, no-transform"},
	"X-Accel-Buffering":      {"no"}, // nginx: pass each write on at once
	"X-Content-Type-Options": {"nosniff"},
}
