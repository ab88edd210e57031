package api

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/stream"
	"proofstream/stream/registry"
)

// getEvents opens a stream. Only a wrong request is answered with an error status, which ends a
// browser's EventSource for good (WHATWG HTML section 9.2.3); all else is told in the stream.
func (s *Server) getEvents(c echo.Context) error {
	site, err := s.siteOf(c)
	if err != nil {
		return err
	}
	recent, err := count(c, "recent", 0, 0, registry.MostRecent)
	if err != nil {
		return err
	}
	sub, resume, leave, err := s.join(c.Request(), registry.Request{Site: site.Name, Recent: recent})
	switch {
	case errors.Is(err, registry.ErrDraining):
		return s.retryLater(c, s.drainDelay())
	case err != nil: // as many subscribers as allowed, or a log that cannot be asked now
		return s.retryLater(c, between(busyLeast, busyMost))
	}
	retry := between(s.o.Retry*7/10, s.o.Retry*13/10)
	// The time is the log's, like that of every event: another clock could make a live event look older than its stream.
	ready := stream.ReadyFrame(resume.Cursor, resume.Replay, resume.Reason, s.o.Log.Now(), retry)
	return s.stream(c, sub, ready, s.logStream(c, site.Name, resume, leave))
}

// join subscribes a request where there is room for one more, of all and of its address. The
// caller must call leave in the end, if there is no error.
func (s *Server) join(r *http.Request, q registry.Request) (sub *registry.Subscription, resume registry.Resume, leave func(), err error) {
	if s.draining.Load() {
		return nil, resume, nil, registry.ErrDraining
	}
	if err := s.begun(); err != nil {
		return nil, resume, nil, err
	}
	if leave = s.connections.enter(proxies(s.o.TrustedProxies), r); leave == nil {
		s.metrics.overLimit.Add(1)
		return nil, resume, nil, registry.ErrFull
	}
	ctx, cancel := s.reading(r)
	defer cancel()
	if q.Cursor, err = s.cursorOf(ctx, r, q.Site); err == nil {
		sub, resume, err = s.o.Registry.Join(ctx, q)
	}
	if err != nil {
		leave()
	}
	return sub, resume, leave, err
}

// reading is the context of a question to the log: it ends with the client, or after as long as a post waits.
func (s *Server) reading(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), s.o.PostTimeout)
}

// logStream logs a stream at level debug, now and when the function returned is called at its end. What it
// needs for that is kept only while that level is on.
func (s *Server) logStream(c echo.Context, site string, resume registry.Resume, leave func()) (ended func(registry.CloseReason)) {
	if !s.o.Logger.Enabled(c.Request().Context(), slog.LevelDebug) {
		return func(registry.CloseReason) { leave() }
	}
	opened, logger := time.Now(), s.o.Logger.With("site", site, "request", requestID(c))
	logger.Debug("stream opened", "replay", resume.Replay, "reason", resume.Reason)
	return func(reason registry.CloseReason) {
		leave()
		logger.Debug("stream ended", "reason", string(reason), "duration", time.Since(opened))
	}
}

// stream writes a subscription to its connection until either ends: on a goroutine of its own
// where the connection can be taken over, else here.
func (s *Server) stream(c echo.Context, sub *registry.Subscription, ready []byte, ended func(registry.CloseReason)) error {
	maps.Copy(c.Response().Header(), streamHeaders)
	s.streams.Add(1) // while net/http still waits for this request: Wait must not miss the stream
	if t := s.takeOver(c); t != nil {
		t.sub, t.ended = sub, ended
		s.disconnects.watch(t)
		go t.live(s, ready)
		return nil
	}
	defer s.streams.Add(-1)
	f := newFlushed(c)
	stop := f.onGone(sub.End)
	defer stop()
	ended(s.write(f, sub, ready))
	panic(http.ErrAbortHandler) // ends the stream as incomplete, so that the client comes back
}

// write is the life of a stream, from its first frame on. It returns why the stream ended.
func (s *Server) write(w writer, sub *registry.Subscription, ready []byte) registry.CloseReason {
	batch, err := one(ready), error(nil)
	for err == nil {
		if err = w.send(batch.Bytes); err == nil {
			s.o.Registry.Sent(batch)
			batch, err = sub.Next()
		}
	}
	return s.finish(w, sub, err)
}

// finish tells a browser to come back, where the service ends the stream, and closes the
// subscription.
func (s *Server) finish(w writer, sub *registry.Subscription, err error) registry.CloseReason {
	if errors.Is(err, registry.Drained) && s.send(w, one(stream.BusyFrame(s.drainDelay()))) == nil {
		time.Sleep(s.holdTime())
	}
	reason := closeReasonOf(err)
	sub.Close(reason)
	return reason
}

// streamHeaders are those of every stream, beside what withGuard and CORS add. Nobody changes the values in place.
var streamHeaders = http.Header{
	"Content-Type":           {"text/event-stream; charset=utf-8"},
	"Cache-Control":          {"no-cache, no-store, no-transform"},
	"X-Accel-Buffering":      {"no"}, // nginx: pass each write on at once
	"X-Content-Type-Options": {"nosniff"},
}
