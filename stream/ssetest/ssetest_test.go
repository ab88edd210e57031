package ssetest

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestReader reads streams as the examples and rules of the WHATWG HTML standard, section 9.2.6, have them.
func TestReader(t *testing.T) {
	for _, tt := range []struct {
		name, stream string
		want         []string // kind, data and id of each event
		lastID       string
	}{
		{"several data lines are one event", "data: YHOO\ndata: +2\ndata: 10\n\n", []string{"message YHOO\n+2\n10 "}, ""},
		{"an id stays until the next one", ": test\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third", []string{"message first 1", "message second "}, ""},
		{"one space after the colon is dropped", "data:  x\n\n", []string{"message  x "}, ""},
		{"an event without data is none, but its id counts", "event: a\nid: 7\n\ndata: x\n\n", []string{"message x 7"}, "7"},
		{"lines end with CR, LF or both", "event: a\rdata: 1\r\rdata: 2\r\n\r\ndata: 3\n\n", []string{"a 1 ", "message 2 ", "message 3 "}, ""},
		{"a byte order mark is skipped", "\ufeffdata: x\n\n", []string{"message x "}, ""},
		{"an id with NUL is ignored", "id: 1\nid: a\x00b\ndata: x\n\n", []string{"message x 1"}, "1"},
		{"what is pending at the end is dropped", "data: x\nid: 9\n", nil, ""},
		{"CR and LF belong together across reads", "data: " + strings.Repeat("x", 4096-len("data: ")-1) + "\r\ndata: y\r\n\r\n",
			[]string{"message " + strings.Repeat("x", 4096-len("data: ")-1) + "\ny "}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(strings.NewReader(tt.stream), "")
			var got []string
			for _, e := range r.All() {
				got = append(got, e.Kind+" "+e.Data+" "+e.ID)
			}
			if !slices.Equal(got, tt.want) || r.LastID != tt.lastID {
				t.Errorf("got %q, last id %q; want %q, %q", got, r.LastID, tt.want, tt.lastID)
			}
		})
	}
}

// TestRetryAndHeartbeat reads what is no event.
func TestRetryAndHeartbeat(t *testing.T) {
	r := NewReader(strings.NewReader("retry: 2731\nretry: 1s\n\n:\ndata: x\n\n"), "")
	if e, err := r.Next(); err != nil || e.Kind != Heartbeat || r.Retry != 2731*time.Millisecond {
		t.Errorf("got %+v, %v, retry %v; want a heartbeat and 2.731s", e, err, r.Retry)
	}
	if e, err := r.Next(); err != nil || e.Data != "x" {
		t.Errorf("got %+v, %v; want x", e, err)
	}
}
