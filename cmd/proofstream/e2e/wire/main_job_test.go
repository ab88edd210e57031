package wire

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
)

func TestOriginalRequestIsAnsweredUnchanged(t *testing.T) {
	p := e2e.Start(t)
	s := p.Follow(t, "")
	tests := []struct {
		form   url.Values
		status int
		body   string
		event  string // offer, then user
	}{
		{url.Values{"api_key": {p.Key}, "img_path": {""}, "offer_name": {"Spring Sale"}, "user_name": {"Ada"}}, 200, "thanks", "Spring Sale, Ada"},
		{url.Values{"api_key": {p.Key}, "img_path": {""}, "offer_name": {""}, "user_name": {""}}, 200, "thanks", "one of our partners, someone"},
		{url.Values{"api_key": {"a-key-of-nobody-here"}, "offer_name": {"x"}}, 401, "Bad or missing API key", ""},
		{url.Values{"offer_name": {"x"}}, 401, "Bad or missing API key", ""},
	}
	stored := 0
	for _, test := range tests {
		a := p.Ask(t, "POST", "/signup", test.form.Encode(), "Content-Type: application/x-www-form-urlencoded")
		if a.Status != test.status || strings.TrimSpace(a.Body) != test.body {
			t.Errorf("%v: got %d %q, want %d %q", test.form, a.Status, a.Body, test.status, test.body)
		}
		if test.event == "" {
			continue
		}
		stored++
		e := s.AwaitEvents(t, "signup", stored)[stored-1]
		if got := e.Field("offer_name") + ", " + e.Field("user_name"); got != test.event {
			t.Errorf("%v: got %q, want %q", test.form, got, test.event)
		}
	}
}

// Cursors from before any of several crashes and restarts stay valid, and no event is renumbered.
func TestIDsSurviveManyRestarts(t *testing.T) {
	p := e2e.Start(t)
	s := p.Follow(t, "")
	cursors := []string{s.Ready(t).ID}
	var want []string
	for round := range 4 {
		want = append(want, p.PostMany(t, fmt.Sprintf("round %d ", round), 3)...)
		if round%2 == 0 {
			p.Kill()
		} else {
			p.Stop()
		}
		p = p.Restart()
	}
	cursors = append(cursors, want...)
	for i, from := range cursors[:len(want)] {
		again := p.Listen(t, "?last_event_id="+from)
		got := e2e.IDs(again.AwaitEvents(t, "signup", len(want)-i))
		if opening := again.Ready(t).Data; !strings.Contains(opening, `"replay":"complete"`) || !slices.Equal(got, want[i:]) {
			t.Errorf("from %s: got %s and %q, want %q", from, opening, got, want[i:])
		}
		again.Close()
	}
	if got := e2e.IDs(s.AwaitEvents(t, "signup", len(want))); !slices.Equal(got, want) {
		t.Errorf("the stream that reconnected got %q, want %q", got, want)
	}
}

func TestIdleStreamHasAHeartbeatEvery15Seconds(t *testing.T) {
	e2e.Slow(t)
	t.Parallel()
	p := e2e.Start(t)
	s := p.Listen(t, "")
	s.Ready(t)
	began := time.Now()
	s.Await(t, "a heartbeat", func() bool { return len(s.Heartbeats) == 1 })
	if took := time.Since(began); took > 17*time.Second {
		t.Errorf("the first heartbeat came after %v", took)
	}
	began = time.Now()
	s.Await(t, "a second heartbeat", func() bool { return len(s.Heartbeats) == 2 })
	if took := time.Since(began); took < 13*time.Second || took > 17*time.Second {
		t.Errorf("the second heartbeat came after %v", took)
	}
	if got := s.Received(); len(got) != 1 {
		t.Errorf("got events %+v", got)
	}
}
