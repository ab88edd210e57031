package api

import (
	"strings"
	"testing"
)

// A page whose origin is refused gets no event, though the log has one, and may not even read the refusal.
func TestOriginsThatMaySubscribe(t *testing.T) {
	h := serve(t)
	h.post(t, `{"user_name":"Ada"}`)
	h.ask(t, "POST", "/signup", `{"user_name":"Ada"}`, jsonType, "X-API-Key: "+shopKey)
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
		resp := h.ask(t, "GET", test.path, "", "Origin: "+test.origin)
		want := ""
		if test.status == 200 {
			want = test.origin
		}
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

func TestFirstRefusalOfAnOriginIsLogged(t *testing.T) {
	h := serve(t)
	for range 3 {
		h.ask(t, "GET", "/events", "", "Origin: https://new.example")
		h.ask(t, "GET", "/recent?site=shop", "", "Origin: https://new.example")
	}
	logged := h.output.String()
	for _, variable := range []string{"PROOF_ALLOWED_ORIGINS", "PROOF_SITES_0_ALLOWED_ORIGINS"} {
		if n := strings.Count(logged, "variable="+variable+" value=https://new.example"); n != 1 {
			t.Errorf("%s was logged %d times, want once:\n%s", variable, n, logged)
		}
	}
}

// The log suggests only what can be allowed. The rest is not repeated: the header may hold anything.
func TestOriginThatCannotBeAllowedIsNoAdvice(t *testing.T) {
	h := serve(t)
	for _, origin := range []string{"null", "*", "https://*.evil.example", "https://u:" + defaultKey + "@a.example", "https://evil.example/", defaultKey, "https://a b"} {
		if resp := h.ask(t, "GET", "/recent", "", "Origin: "+origin); resp.status != 403 {
			t.Errorf("%s: got %d, want 403", origin, resp.status)
		}
	}
	if logged := h.output.String(); strings.Count(logged, "level=WARN") != 1 || strings.Contains(logged, "value=") || strings.Contains(logged, defaultKey) {
		t.Errorf("got %s, want one warning without a value", logged)
	}
}
