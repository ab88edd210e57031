// Package sse writes event streams (WHATWG HTML section 9.2) to connections, and notices when the other side is gone.
//
// An HTTP/1 connection is taken over from net/http (hijack.go), others stay with it (flush.go). Streams are the
// registry's subscriptions; the frames come from package stream.
package sse

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"proofstream/stream"
	"proofstream/stream/registry"
)

// Options configure a Server. All are required, except Flush.
type Options struct {
	Registry *registry.Registry // counts the frames that were written
	Retry    time.Duration      // the reconnection delay asked of browsers, spread ±30 %
	Grace    time.Duration      // the longest time that a drain takes; browsers are asked to come back within it
	Flush    bool               // keep streams on net/http's connections, as HTTP/2 does anyway
}

// Server writes streams. It is safe for concurrent use.
type Server struct {
	o           Options
	disconnects *disconnects
	streams     atomic.Int64 // open, except those answered busy at once
	held        held
}

// New returns a Server. It starts nothing: see Run. Call Close when it is no longer used.
func New(o Options) (*Server, error) {
	d, err := newDisconnects()
	if err != nil {
		return nil, err
	}
	return &Server{o: o, disconnects: d}, nil
}

// Run ends the streams whose clients disconnect, until ctx ends.
func (s *Server) Run(ctx context.Context) error { return s.disconnects.run(ctx) }

// Close frees what New has opened. Call it when Run has returned and no stream is open.
func (s *Server) Close() error { return s.disconnects.close() }

// Wait returns when no stream is open, or with the context's error. Those that were answered busy at once do not count:
// see WaitBusy.
func (s *Server) Wait(ctx context.Context) error { return awaitNone(ctx, &s.streams) }

// WaitBusy returns when no stream that was answered busy at once is open, or with the context's error.
func (s *Server) WaitBusy(ctx context.Context) error { return awaitNone(ctx, &s.held.n) }

func awaitNone(ctx context.Context, n *atomic.Int64) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n.Load() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Stream is one subscription on its way to its client.
type Stream struct {
	Subscription *registry.Subscription
	Resume       registry.Resume
	// Now is the log's time, like that of every event: another clock could make a live event look older than its stream.
	Now time.Time
	// Ended is called once, at the end.
	Ended func(registry.CloseReason)
}

// Serve writes a stream until either side ends it, and closes the subscription. Where the connection can be taken over
// it returns at once, and a goroutine of its own goes on. Else it panics in the end with http.ErrAbortHandler, which
// leaves the response incomplete, so that the client comes back. w must be net/http's own.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, st Stream) {
	maps.Copy(w.Header(), streamHeaders)
	retry := between(s.o.Retry*7/10, s.o.Retry*13/10)
	ready := stream.ReadyFrame(st.Resume.Cursor, st.Resume.Replay, st.Resume.Reason, st.Now, retry)
	s.streams.Add(1) // while net/http still waits for this request: Wait must not miss the stream
	if c := s.hijack(w, r); c != nil {
		c.sub, c.ended = st.Subscription, st.Ended
		s.disconnects.watch(c)
		go c.live(s, ready)
		return
	}
	defer s.streams.Add(-1)
	f := newFlushed(w, r)
	stop := f.onGone(st.Subscription.End)
	defer stop()
	st.Ended(s.write(f, st.Subscription, ready))
	panic(http.ErrAbortHandler)
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

// streamHeaders are those of every stream. Nobody changes the values in place.
var streamHeaders = http.Header{
	"Content-Type":           {"text/event-stream; charset=utf-8"},
	"Cache-Control":          {"no-cache, no-store, no-transform"},
	"X-Accel-Buffering":      {"no"}, // nginx: pass each write on at once
	"X-Content-Type-Options": {"nosniff"},
}
