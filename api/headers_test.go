package api

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func TestEveryResponseHasTheHeadersOfItsKind(t *testing.T) {
	h := serve(t, func(o *setup) { o.HSTS = true })
	for _, tt := range []struct{ method, path, body, origin string }{
		{"GET", "/", "", ""},
		{"GET", "/live", "", ""},
		{"GET", "/ready", "", "https://pages.example.com"},
		{"GET", "/stats", "", ""},
		{"GET", "/recent", "", "https://evil.example.com"},
		{"GET", "/recent", "", "null"},
		{"GET", "/events", "", "https://evil.example.com"},
		{"GET", "/events?site=nowhere", "", ""},
		{"GET", "/events?recent=x", "", ""},
		{"POST", "/events", "x", ""},
		{"GET", "/assets/proof.js", "", "https://evil.example.com"},
		{"GET", "/assets/default.svg", "", ""},
		{"GET", "/assets/nothing.js", "", ""},
		{"GET", "/nothing", "", ""},
		{"POST", "/signup", "user_name=A", ""},
		{"POST", "/signup", "api_key=" + defaultKey, ""},
		{"POST", "/signup", "api_key=" + defaultKey + "&x=y", ""},
		{"DELETE", "/signup/a-1", "", ""},
		{"OPTIONS", "/signup", "", "https://evil.example.com"},
		{"OPTIONS", "/events", "", "https://pages.example.com"},
		{"HEAD", "/", "", ""},
		{"PUT", "/", "x", ""},
	} {
		got := h.request(t, tt.method, tt.path, tt.body, "Origin: "+tt.origin)
		name := fmt.Sprintf("%s %s from %q (%d)", tt.method, tt.path, tt.origin, got.status)
		if got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: no nosniff", name)
		}
		if got.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: Referrer-Policy %q", name, got.header.Get("Referrer-Policy"))
		}
		if !strings.Contains(got.header.Get("Content-Security-Policy"), "frame-ancestors ") {
			t.Errorf("%s: Content-Security-Policy %q", name, got.header.Get("Content-Security-Policy"))
		}
		if page := tt.path == "/" && got.status == 200; !page && got.header.Get("Content-Security-Policy") != bodyPolicy {
			t.Errorf("%s: Content-Security-Policy %q", name, got.header.Get("Content-Security-Policy"))
		}
		if got.header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: no HSTS", name)
		}
		if vary := strings.Join(got.header.Values("Vary"), ", "); !regexp.MustCompile(`\bOrigin\b`).MatchString(vary) {
			t.Errorf("%s: Vary %q", name, vary)
		}
		if len(got.header.Values("Access-Control-Allow-Credentials")) > 0 {
			t.Errorf("%s: credentials are allowed", name)
		}
	}
}

func TestHSTSIsNotSentWithoutTLS(t *testing.T) {
	if got := serve(t).request(t, "GET", "/live", ""); got.header.Get("Strict-Transport-Security") != "" {
		t.Errorf("got %q", got.header.Get("Strict-Transport-Security"))
	}
}

func TestWrongMethodsAndPlaces(t *testing.T) {
	h := serve(t)
	tests := []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/signup", 405, "POST"}, {"PUT", "/signup", 405, "POST"},
		{"POST", "/events", 405, "GET"}, {"POST", "/recent", 405, "GET"}, {"DELETE", "/stats", 405, "GET"},
		{"POST", "/", 405, "GET"}, {"POST", "/live", 405, "GET"}, {"GET", "/signup/x-1", 405, "DELETE"},
		{"GET", "/nothing", 404, ""}, {"GET", "/assets/nothing.js", 404, ""}, {"GET", "/assets/../go.mod", 404, ""},
		{"HEAD", "/", 200, ""}, {"HEAD", "/live", 200, ""}, {"HEAD", "/ready", 200, ""}, {"HEAD", "/recent", 200, ""}, {"HEAD", "/stats", 200, ""}, {"HEAD", "/assets/proof.js", 200, ""},
	}
	for _, test := range tests {
		resp := h.request(t, test.method, test.path, "")
		if resp.status != test.status || !strings.Contains(resp.header.Get("Allow"), test.allow) {
			t.Errorf("%s %s: got %d, Allow %q; want %d, %q", test.method, test.path, resp.status, resp.header.Get("Allow"), test.status, test.allow)
		}
		if test.method == "HEAD" && resp.body != "" {
			t.Errorf("%s %s: got a body", test.method, test.path)
		}
	}
}
