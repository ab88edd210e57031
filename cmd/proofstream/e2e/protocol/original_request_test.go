package protocol

import (
	"net/url"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// The form post of the original job gets the original responses, and an accepted post is an event.
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
		{url.Values{"api_key": {"an-unknown-key-0123"}, "offer_name": {"x"}}, 401, "Bad or missing API key", ""},
		{url.Values{"offer_name": {"x"}}, 401, "Bad or missing API key", ""},
	}
	stored := 0
	for _, test := range tests {
		got := p.Request(t, "POST", "/signup", test.form.Encode(), "Content-Type: application/x-www-form-urlencoded")
		if got.Status != test.status || strings.TrimSpace(got.Body) != test.body {
			t.Errorf("%v: got %d %q, want %d %q", test.form, got.Status, got.Body, test.status, test.body)
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
