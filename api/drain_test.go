package api

import (
	"io"
	"regexp"
	"testing"
	"time"
)

func TestDrainEndsAStreamWithBusyAndNoFinalChunk(t *testing.T) {
	onEach(t, func(t *testing.T, h *harness, w way) {
		c := h.openBy(t, w, "/events")
		h.post(t, `{}`)
		c.next(t, 2)
		before := c.LastID
		h.drain(t)
		busy := c.next(t, 1)[0]
		if want := regexp.MustCompile(`^event: busy\nretry: \d+\ndata: \{\}\n\n$`); !want.MatchString(busy.Frame) {
			t.Errorf("got frame %q", busy.Frame)
		}
		if c.Retry < time.Second || c.Retry > 10*time.Second || c.LastID != before {
			t.Errorf("got retry %v and last id %q, want 1 s to the grace time and %q", c.Retry, c.LastID, before)
		}
		_, err := c.Next()
		if unfinished := err != nil && err != io.EOF; unfinished != (w.proto != "HTTP/1.0") { // which knows no other end
			t.Errorf("got end %v", err)
		}
		if again := h.openBy(t, w, "/events").next(t, 1)[0]; again.Kind != "busy" {
			t.Errorf("got %q for a stream during a drain, want busy", again.Frame)
		}
	})
}

func (h *harness) drain(t *testing.T) {
	t.Helper()
	if err := h.o.Registry.Drain(t.Context(), time.Millisecond); err != nil {
		t.Fatal(err)
	}
}

// A stream stays open for a moment after busy, which browsers need to read it: see holdFor in package sse. The time is
// counted from before the busy frame is sent, so that a slow reader cannot make it shorter.
func TestStreamIsHeldOpenAfterBusy(t *testing.T) {
	const held = 250 * time.Millisecond
	ends := func(t *testing.T, start time.Time, c *client) {
		t.Helper()
		if got := c.next(t, 1)[0]; got.Kind != "busy" {
			t.Fatalf("got %q, want busy", got.Kind)
		}
		if e, err := c.Next(); err == nil {
			t.Errorf("got %q after busy, want the end of the stream", e.Frame)
		}
		if lasted := time.Since(start); lasted < held {
			t.Errorf("the stream ended after %v, want at least %v", lasted, held)
		}
	}
	onEach(t, func(t *testing.T, h *harness, w way) {
		c := h.openBy(t, w, "/events")
		c.next(t, 1)
		start := time.Now()
		h.drain(t)
		ends(t, start, c)
		start = time.Now()
		ends(t, start, h.openBy(t, w, "/events"))
	})
}
