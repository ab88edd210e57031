package api

import (
	"strings"
	"testing"
)

// A page may send each documented header with each method, alone and with others.
func TestPreflightsSucceedForEveryDocumentedHeader(t *testing.T) {
	h := serve(t)
	headers := []string{"Content-Type", "Authorization", "X-API-Key", "Idempotency-Key", "Last-Event-ID", "Cache-Control"}
	preflight := func(path, origin, method, headers string) response {
		return h.request(t, "OPTIONS", path, "", "Origin: "+origin, "Access-Control-Request-Method: "+method,
			"Access-Control-Request-Headers: "+headers)
	}
	for path, method := range map[string]string{
		"/signup": "POST", "/signup/a-1": "DELETE", "/events": "GET", "/recent?limit=3": "GET", "/stats": "GET",
	} {
		for _, h := range append(headers, "authorization,content-type,idempotency-key") {
			got := preflight(path, "https://pages.example.com", method, strings.ToLower(h))
			if got.header.Get("Access-Control-Allow-Origin") != "https://pages.example.com" || got.status/100 != 2 {
				t.Errorf("preflight for %s %s with %s: %d %v", method, path, h, got.status, got.header)
			}
		}
		if got := preflight(path, "https://evil.example.com", method, "content-type"); got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("preflight for %s %s from a foreign page: %v", method, path, got.header)
		}
	}
	if got := preflight("/signup", "https://shop.example.com", "POST", "authorization"); got.header.Get("Access-Control-Allow-Origin") == "" {
		t.Error("a preflight for posts from another site's page fails, though it has no key that names the site")
	}
	if got := preflight("/events", "https://shop.example.com", "GET", "last-event-id"); got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a page of one site may read the stream of another")
	}
}

// The names of headers may be in any case and order, as people who try a preflight by hand write them.
func TestPreflights(t *testing.T) {
	h := serve(t)
	tests := []struct {
		name, path, origin, method, headers string
		allowed                             bool
	}{
		{"all headers of a post", "/signup", "https://pages.example.com", "POST", "authorization,content-type,idempotency-key,x-api-key", true},
		{"a page of another site: a preflight has no key that names the site", "/signup", "https://shop.example.com", "POST", "content-type", true},
		{"a foreign page", "/signup", "https://evil.example", "POST", "content-type", false},
		{"capitals, and no order", "/signup", "https://pages.example.com", "POST", "Content-Type, Authorization", true},
		{"repeated names, tabs and a comma too many", "/signup", "https://pages.example.com", "POST", "X-API-Key,\tcontent-type , X-API-Key,", true},
		{"an undocumented header", "/signup", "https://pages.example.com", "POST", "Content-Type, X-Strange", false},
		{"a retraction", "/signup/x-1", "https://pages.example.com", "DELETE", "authorization", true},
		{"a stream with its cursor", "/events", "https://pages.example.com", "GET", "cache-control,last-event-id", true},
		{"headers of monitoring agents, for recent events", "/recent", "https://pages.example.com", "GET", "baggage,traceparent,x-strange", true},
		{"headers of monitoring agents, from a foreign page", "/recent", "https://evil.example", "GET", "baggage,traceparent", false},
		{"headers of monitoring agents, for another site", "/recent?site=shop", "https://pages.example.com", "GET", "traceparent", false},
		{"headers of monitoring agents, for a stream", "/events", "https://pages.example.com", "GET", "traceparent", false},
		{"a stream of another site", "/events?site=shop", "https://pages.example.com", "GET", "last-event-id", false},
	}
	for _, test := range tests {
		resp := h.request(t, "OPTIONS", test.path, "", "Origin: "+test.origin,
			"Access-Control-Request-Method: "+test.method, "Access-Control-Request-Headers: "+test.headers)
		got := resp.header.Get("Access-Control-Allow-Origin") == test.origin && resp.header.Get("Access-Control-Allow-Headers") != ""
		if got != test.allowed || resp.status >= 300 || !strings.Contains(resp.header.Get("Vary"), "Origin") {
			t.Errorf("%s: got %d %v", test.name, resp.status, resp.header)
		}
	}
	resp := h.request(t, "POST", "/signup", `{}`, jsonType, asOwner, "Origin: https://evil.example")
	if resp.status != 200 || resp.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a post for another origin: got %d %v, want it stored and unreadable", resp.status, resp.header)
	}
}
