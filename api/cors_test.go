package api

import (
	"strings"
	"testing"
)

// A page whose origin is refused gets no event, though the log has one.
func TestOriginsThatMaySubscribe(t *testing.T) {
	h := serve(t)
	h.post(t, `{"user_name":"Ada"}`)
	h.request(t, "POST", "/signup", `{"user_name":"Ada"}`, jsonType, "X-API-Key: "+shopKey)
	tests := []struct {
		name, path, origin string
		status             int
	}{
		{"no origin", "/recent?limit=1", "", 200},
		{"an allowed origin", "/recent?limit=1", "https://pages.example.com", 200},
		{"any port", "/recent?limit=1", "http://localhost:8080", 200},
		{"the service's own origin", "/recent?limit=1", h.url, 200},
		{"the service's own origin, for another site", "/recent?site=shop", h.url, 200},
		{"an origin of another site", "/recent?site=shop", "https://shop.example.com", 200},
		{"a site's name with an escape", "/recent?site=sh%6fp", "https://shop.example.com", 200},
		{"an empty limit", "/recent?limit=", "", 200},
		{"a limit beyond 64 bits", "/recent?limit=99999999999999999999", "", 200},
		{"the default site's origin, for another site", "/recent?site=shop", "https://pages.example.com", 403},
		{"another site's origin, for the default site", "/recent?limit=1", "https://shop.example.com", 403},
		{"an origin with an allowed one as its prefix", "/recent?limit=1", "https://pages.example.com.evil.example", 403},
		{"null, for recent events", "/recent?limit=1", "null", 403},
		{"null, for a stream", "/events?recent=1", "null", 403},
		{"a foreign origin, for a stream", "/events?recent=1", "https://evil.example", 403},
		{"a foreign origin, for the figures", "/stats", "https://evil.example", 403},
		{"no such site, from a foreign origin", "/events?site=nobody", "https://evil.example", 404},
		{"no such site", "/recent?site=nobody", "", 404},
		{"a semicolon after a site's name", "/recent?site=nobody;", "", 404},
		{"a broken escape for a site's name", "/recent?site=%zz", "", 404},
		{"a semicolon after a limit", "/recent?x=%zz&limit=3;", "", 400},
		{"a limit that is no number", "/recent?limit=x", "", 400},
		{"a number of events that is none", "/events?recent=x", "", 400},
	}
	for _, test := range tests {
		resp := h.request(t, "GET", test.path, "", "Origin: "+test.origin)
		want := map[int]string{200: test.origin, 403: "*", 404: "*"}[test.status]
		if got := resp.header.Get("Access-Control-Allow-Origin"); resp.status != test.status || got != want {
			t.Errorf("%s: got %d, Access-Control-Allow-Origin %q; want %d and %q", test.name, resp.status, got, test.status, want)
		}
		if vary := resp.header.Get("Vary"); !strings.Contains(vary, "Origin") {
			t.Errorf("%s: got Vary %q, want Origin", test.name, vary)
		}
		if got := strings.Contains(resp.body, "Ada"); got != (test.status == 200) {
			t.Errorf("%s: got the event is %t: %s", test.name, got, resp.body)
		}
	}
}
