package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
	"unique"

	"github.com/labstack/echo/v4"

	"proofstream/api/origin"
	"proofstream/api/sse"
	"proofstream/stream/registry"
)

// getEvents opens a stream. Only a wrong request gets an error status, after which a browser's EventSource does not reconnect
// (WHATWG HTML section 9.2.3). In all other cases there is a stream, if only with a busy frame.
func (s *Server) getEvents(c echo.Context) error {
	site, err := s.siteOf(c)
	if err != nil {
		return err
	}
	recent, err := count(c, "recent", 0, 0, registry.MostRecent)
	if err != nil {
		return err
	}
	q := registry.Request{Site: site.Name, Recent: recent, Origin: s.listedOrigin(c.Request(), site)}
	sub, resume, leave, err := s.join(c.Request(), q)
	if err == nil && !s.stillLists(q) { // SetAccess came between
		sub.Close(registry.Refused)
		leave()
		return s.refuseOrigin(site, q.Origin.Value())
	}
	w := c.Response().Writer // not Echo's Response, which drops the error of Flush
	c.Response().Committed = true
	switch {
	case errors.Is(err, registry.ErrDraining):
		s.streams.ServeDraining(w, c.Request())
	case err != nil: // as many subscribers as allowed, or a log that cannot be read now
		s.streams.ServeBusy(w, c.Request())
	default:
		s.streams.Serve(w, c.Request(), sse.Stream{
			Subscription: sub, Resume: resume, Now: s.o.Log.Now(), Ended: s.logStream(c, site.Name, resume, leave),
		})
	}
	return nil
}

// listedOrigin returns the origin of a request's page when that may read a site because it is in the site's list. Other pages, which are
// the service's own, and clients that are no page have none.
func (s *Server) listedOrigin(r *http.Request, site *Site) (from unique.Handle[string]) {
	if text := r.Header.Get("Origin"); text != "" && s.lists(site.Name, text) && !origin.SameHost(r, text) {
		from = unique.Make(text)
	}
	return from
}

// stillLists reports whether the origin of a subscription, if it has one, is in the list of its site.
func (s *Server) stillLists(q registry.Request) bool {
	return q.Origin == (unique.Handle[string]{}) || s.lists(q.Site, q.Origin.Value())
}

// join subscribes a request unless there are as many subscribers as allowed, in all or of its address. Without an error the
// caller must call leave once, at the end of the stream.
func (s *Server) join(r *http.Request, q registry.Request) (sub *registry.Subscription, resume registry.Resume, leave func(), err error) {
	if s.draining.Load() {
		return nil, resume, nil, registry.ErrDraining
	}
	if err := s.checkStarted(); err != nil {
		return nil, resume, nil, err
	}
	if leave = s.connections.Enter(r); leave == nil {
		s.metrics.overLimit.Add(1)
		return nil, resume, nil, registry.ErrFull
	}
	ctx, cancel := s.readContext(r)
	defer cancel()
	if q.Cursor, err = s.cursorOf(ctx, r, q.Site); err == nil {
		sub, resume, err = s.o.Registry.Join(ctx, q)
	}
	if err != nil {
		leave()
	}
	return sub, resume, leave, err
}

// readContext returns a context for reading the log. It ends when the client disconnects, or after Options.PostTimeout.
func (s *Server) readContext(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), s.o.PostTimeout)
}

// logStream logs the start of a stream at level debug, and its end when ended is called, which calls leave. At a higher level
// it keeps nothing in memory but leave.
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
