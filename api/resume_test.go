package api

import (
	"io"
	"slices"
	"strings"
	"testing"

	"proofstream/stream/ssetest"
)

// Each byte of a stream is a place where a connection can break.
func TestCutAtEveryByte(t *testing.T) {
	for _, w := range []way{ways[1], ways[3]} { // HTTP/1.0 has the bytes as they are
		t.Run(w.name, func(t *testing.T) {
			h := serve(t, func(o *setup) { o.Flush = w.flush })
			first := "Last-Event-ID: " + h.openBy(t, w, "/events").next(t, 1)[0].ID
			want := h.postSome(t, 3)
			whole := 0
			for _, e := range h.openBy(t, w, "/events", first).next(t, 4) {
				whole += len(e.Frame)
			}
			for k := range whole + 1 {
				resp, cut := h.get(t, w, "/events", first)
				r := ssetest.NewReader(io.LimitReader(resp.Body, int64(k)), resp.Request.Header.Get("Last-Event-ID"))
				got := signupIDs(r.All())
				cut()
				if r.LastID != want[2] {
					rest := h.openBy(t, w, "/events", "Last-Event-ID: "+r.LastID)
					got = append(got, signupIDs(rest.next(t, 1+len(want)-len(got)))...)
					rest.cut()
				}
				if !slices.Equal(got, want) {
					t.Fatalf("cut after %d of %d bytes: got %q, want %q", k, whole, got, want)
				}
			}
		})
	}
}

// signupIDs returns the ids of the signups among events, in order.
func signupIDs(events []ssetest.Event) (ids []string) {
	for _, e := range events {
		if e.Kind == "signup" {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

func TestOnlyReadyWasSeen(t *testing.T) {
	h := serve(t)
	h.postSome(t, 1)
	c := h.open(t, "/events")
	c.next(t, 1)
	c.cut()
	want := h.postSome(t, 7)
	again := h.open(t, "/events", "Last-Event-ID: "+c.LastID).next(t, 8)
	if got := idsOf(again[1:]); !slices.Equal(got, want) || !strings.Contains(again[0].Data, `"replay":"complete"`) {
		t.Errorf("got %q after %q, want %q", got, again[0].Data, want)
	}
}

// A connection that ends right after its opening frame, or in the middle of a replay, again and again, loses nothing: the
// id in ready is never ahead of what was sent.
func TestReadyIsNeverAhead(t *testing.T) {
	h := serve(t)
	start := h.open(t, "/events").next(t, 1)[0].ID
	want := h.postSome(t, 200) // more than a channel holds
	for _, path := range []string{"/events", "/events?recent=20"} {
		var got []string
		for last, n := start, 1; len(got) < len(want); n++ {
			c := h.open(t, path, "Last-Event-ID: "+last)
			got = append(got, signupIDs(c.next(t, min(1+n%5*3, 1+len(want)-len(got))))...)
			c.cut()
			last = c.LastID
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestRecentEventsAreNotLostByACutAfterReady(t *testing.T) {
	h := serve(t)
	want := h.postSome(t, 5)
	c := h.open(t, "/events?recent=3")
	c.next(t, 1)
	c.cut()
	got := idsOf(h.open(t, "/events?recent=3", "Last-Event-ID: "+c.LastID).next(t, 4)[1:])
	if !slices.Equal(got, want[2:]) {
		t.Errorf("got %q, want %q", got, want[2:])
	}
}
