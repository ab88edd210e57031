package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOriginalRequestIsAnsweredUnchanged(t *testing.T) {
	p := start(t)
	s := p.follow(t, "")
	tests := []struct {
		form   url.Values
		status int
		body   string
		event  string // offer, then user
	}{
		{url.Values{"api_key": {p.key}, "img_path": {""}, "offer_name": {"Spring Sale"}, "user_name": {"Ada"}}, 200, "thanks", "Spring Sale, Ada"},
		{url.Values{"api_key": {p.key}, "img_path": {""}, "offer_name": {""}, "user_name": {""}}, 200, "thanks", "one of our partners, someone"},
		{url.Values{"api_key": {"a-key-of-nobody-here"}, "offer_name": {"x"}}, 401, "Bad or missing API key", ""},
		{url.Values{"offer_name": {"x"}}, 401, "Bad or missing API key", ""},
	}
	stored := 0
	for _, test := range tests {
		a := p.ask(t, "POST", "/signup", test.form.Encode(), "Content-Type: application/x-www-form-urlencoded")
		if a.status != test.status || strings.TrimSpace(a.body) != test.body {
			t.Errorf("%v: got %d %q, want %d %q", test.form, a.status, a.body, test.status, test.body)
		}
		if test.event == "" {
			continue
		}
		stored++
		e := s.awaitEvents(t, "signup", stored)[stored-1]
		if got := e.field("offer_name") + ", " + e.field("user_name"); got != test.event {
			t.Errorf("%v: got %q, want %q", test.form, got, test.event)
		}
	}
}

// Cursors from before any of several crashes and restarts stay valid, and no event is renumbered.
func TestIDsSurviveManyRestarts(t *testing.T) {
	p := start(t)
	s := p.follow(t, "")
	cursors := []string{s.ready(t).id}
	var want []string
	for round := range 4 {
		want = append(want, p.postMany(t, fmt.Sprintf("round %d ", round), 3)...)
		if round%2 == 0 {
			p.kill()
		} else {
			p.stop()
		}
		p = p.restart()
	}
	cursors = append(cursors, want...)
	for i, from := range cursors[:len(want)] {
		again := p.listen(t, "?last_event_id="+from)
		got := ids(again.awaitEvents(t, "signup", len(want)-i))
		if opening := again.ready(t).data; !strings.Contains(opening, `"replay":"complete"`) || !slices.Equal(got, want[i:]) {
			t.Errorf("from %s: got %s and %q, want %q", from, opening, got, want[i:])
		}
		again.close()
	}
	if got := ids(s.awaitEvents(t, "signup", len(want))); !slices.Equal(got, want) {
		t.Errorf("the stream that reconnected got %q, want %q", got, want)
	}
}

func TestIdleStreamHasAHeartbeatEvery15Seconds(t *testing.T) {
	slow(t)
	t.Parallel()
	p := start(t)
	s := p.listen(t, "")
	s.ready(t)
	began := time.Now()
	s.await(t, "a heartbeat", func() bool { return len(s.heartbeats) == 1 })
	if took := time.Since(began); took > 17*time.Second {
		t.Errorf("the first heartbeat came after %v", took)
	}
	began = time.Now()
	s.await(t, "a second heartbeat", func() bool { return len(s.heartbeats) == 2 })
	if took := time.Since(began); took < 13*time.Second || took > 17*time.Second {
		t.Errorf("the second heartbeat came after %v", took)
	}
	if got := s.received(); len(got) != 1 {
		t.Errorf("got events %+v", got)
	}
}
