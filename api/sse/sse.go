// Package sse writes event streams (WHATWG HTML section 9.2) to connections, and notices when the other side disconnects.
//
// An HTTP/1 connection is taken over from net/http (hijack.go), others stay with it (flush.go). Each stream is one
// subscription of package registry; the frames come from package stream.
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
	// Registry counts the frames that were written.
	Registry *registry.Registry
	// Retry is the reconnection delay that the ready frame has, spread ±30 % over streams. It must be positive.
	Retry time.Duration
	// Grace is the longest time that a drain takes. Browsers reconnect after 1 s to Grace; less than 1 s counts as 1 s.
	Grace time.Duration
	// Flush keeps HTTP/1 streams on net/http's connections too, as HTTP/2 streams always are.
	Flush bool
}

// Server writes streams. It is safe for concurrent use.
type Server struct {
	o           Options
	disconnects *disconnects
	streams     atomic.Int64 // open, except those refused with busy
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

// Wait returns nil when no stream is open, or the context's error. Streams refused with busy do not count: see WaitBusy.
func (s *Server) Wait(ctx context.Context) error { return awaitNone(ctx, &s.streams) }

// WaitBusy returns nil when no stream refused with busy is open, or the context's error.
func (s *Server) WaitBusy(ctx context.Context) error { return awaitNone(ctx, &s.held.n) }

// awaitNone polls every 10 ms: a drain is rare, and a signal would cost each stream a word of memory.
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

// Stream is what Serve needs to know of one stream. All fields are required.
type Stream struct {
	Subscription *registry.Subscription
	Resume       registry.Resume
	// Now is the log's time, which stamps events too. By another clock a live event could be older than its stream.
	Now time.Time
	// Ended is called once, at the end, from any goroutine.
	Ended func(registry.CloseReason)
}

// Serve writes a stream until either side ends it, and closes the subscription. Where the connection can be taken over it
// returns at once. Otherwise it panics at the end with http.ErrAbortHandler, which leaves the response incomplete, so that the client
// reconnects. w must be net/http's own.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, st Stream) {
	maps.Copy(w.Header(), streamHeaders)
	retry := jitter(s.o.Retry*7/10, s.o.Retry*13/10)
	ready := stream.ReadyFrame(st.Resume.Cursor, st.Resume.Replay, st.Resume.Reason, st.Now, retry)
	s.streams.Add(1) // before the connection is taken over: net/http then no longer waits for this request, and Wait must
	if c := s.hijack(w, r); c != nil {
		c.sub, c.ended = st.Subscription, st.Ended
		c.sub.WakeBy(c)
		c.unsent = c.appendFrames(c.unsent, ready)
		s.o.Registry.Sent(one(ready))
		s.disconnects.watch(c)
		c.Wake(false)
		return
	}
	defer s.streams.Add(-1)
	f := newFlushed(w, r)
	stop := f.onGone(st.Subscription.End)
	defer stop()
	st.Ended(s.write(f, st.Subscription, ready))
	panic(http.ErrAbortHandler)
}

// write writes a stream from its first frame to its end, and returns why it ended.
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

// finish closes the subscription and returns the reason. A browser whose stream a drain ends gets a busy frame before.
func (s *Server) finish(w writer, sub *registry.Subscription, err error) registry.CloseReason {
	if errors.Is(err, registry.Drained) && s.send(w, one(stream.BusyFrame(s.drainDelay()))) == nil {
		time.Sleep(s.holdTime())
	}
	reason := closeReasonOf(err)
	sub.Close(reason)
	return reason
}

// streamHeaders are the headers of every stream. They are shared: their values must not be changed in place.
var streamHeaders = http.Header{
	"Content-Type":           {"text/event-stream; charset=utf-8"},
	"Cache-Control":          {"no-cache, no-store, no-transform"},
	"X-Accel-Buffering":      {"no"}, // nginx: pass each write on at once
	"X-Content-Type-Options": {"nosniff"},
}
