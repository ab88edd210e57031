package api_test

import (
	"strings"
	"testing"
)

func TestOriginsThatMaySubscribe(t *testing.T) {
	f := serve(t)
	own := "Origin: " + f.url
	tests := []struct {
		path, origin string
		status       int
	}{
		{"/recent", "", 200},
		{"/recent", "Origin: https://shop.example", 200},
		{"/recent", "Origin: http://localhost:8080", 200},
		{"/recent", own, 200},
		{"/recent?site=other", own, 200},
		{"/recent?site=other", "Origin: https://other.example", 200},
		{"/recent?site=other", "Origin: https://shop.example", 403},
		{"/recent", "Origin: https://other.example", 403},
		{"/recent", "Origin: https://shop.example.evil.example", 403},
		{"/recent", "Origin: null", 403},
		{"/events", "Origin: null", 403},
		{"/events", "Origin: https://evil.example", 403},
		{"/stats", "Origin: https://evil.example", 403},
		{"/events?site=nobody", "Origin: https://evil.example", 404},
		{"/recent?site=nobody", "", 404},
		{"/recent?site=nobody;", "", 404},
		{"/recent?site=%zz", "", 404},
		{"/recent?x=%zz&limit=3;", "", 400},
		{"/recent?site=oth%65r", "Origin: https://other.example", 200},
		{"/recent?limit=x", "", 400},
		{"/events?recent=x", "", 400},
		{"/recent?limit=", "", 200},
		{"/recent?limit=99999999999999999999", "", 200},
	}
	for _, test := range tests {
		var headers []string
		if test.origin != "" {
			headers = append(headers, test.origin)
		}
		a := f.ask("GET", test.path, "", headers...)
		origin := strings.TrimPrefix(test.origin, "Origin: ")
		if a.status != 200 && strings.Contains(a.header.Get("Access-Control-Allow-Origin"), origin) && test.status == 403 {
			origin = "refused, yet it may read the refusal"
		} else if test.status != 200 {
			origin = ""
		}
		if a.status != test.status || a.header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(a.header.Get("Vary"), "Origin") {
			t.Errorf("%s from %q: got %d, Access-Control-Allow-Origin %q, Vary %q; want %d and %q", test.path, test.origin,
				a.status, a.header.Get("Access-Control-Allow-Origin"), a.header.Get("Vary"), test.status, origin)
		}
		if a.status == 403 && (strings.Contains(a.body, "signup") && strings.Contains(a.body, "event:")) {
			t.Errorf("%s: got %s", test.path, a.body)
		}
	}
}

func TestFirstRefusalOfAnOriginIsTold(t *testing.T) {
	f := serve(t)
	for range 3 {
		f.ask("GET", "/events", "", "Origin: https://new.example")
		f.ask("GET", "/recent?site=other", "", "Origin: https://new.example")
	}
	said := f.said.String()
	for _, variable := range []string{"PROOF_ALLOWED_ORIGINS", "PROOF_SITES_0_ALLOWED_ORIGINS"} {
		if n := strings.Count(said, "variable="+variable+" value=https://new.example"); n != 1 {
			t.Errorf("%s was told of %d times, want once:\n%s", variable, n, said)
		}
	}
}

// What cannot be allowed is no advice, and as anything may stand there it is not repeated.
func TestOriginThatCannotBeAllowedIsNoAdvice(t *testing.T) {
	f := serve(t)
	for _, origin := range []string{"null", "*", "https://*.evil.example", "https://u:" + key + "@a.example", "https://evil.example/", key, "https://a b"} {
		if a := f.ask("GET", "/recent", "", "Origin: "+origin); a.status != 403 {
			t.Errorf("%s: got %d, want 403", origin, a.status)
		}
	}
	if said := f.said.String(); strings.Count(said, "level=WARN") != 1 || strings.Contains(said, "value=") || strings.Contains(said, key) {
		t.Errorf("got %s, want one warning without a value", said)
	}
}

func TestPreflights(t *testing.T) {
	f := serve(t)
	tests := []struct {
		path, origin, method, headers string
		allowed                       bool
	}{
		{"/signup", "https://shop.example", "POST", "authorization,content-type,idempotency-key,x-api-key", true},
		{"/signup", "https://other.example", "POST", "content-type", true},
		{"/signup", "https://evil.example", "POST", "content-type", false},
		{"/signup", "https://shop.example", "POST", "Content-Type, Authorization", true},
		{"/signup", "https://shop.example", "POST", "X-API-Key,\tcontent-type , X-API-Key,", true},
		{"/signup", "https://shop.example", "POST", "Content-Type, X-Strange", false},
		{"/signup/x-1", "https://shop.example", "DELETE", "authorization", true},
		{"/events", "https://shop.example", "GET", "cache-control,last-event-id", true},
		{"/events?site=other", "https://shop.example", "GET", "last-event-id", false},
	}
	for _, test := range tests {
		a := f.ask("OPTIONS", test.path, "", "Origin: "+test.origin,
			"Access-Control-Request-Method: "+test.method, "Access-Control-Request-Headers: "+test.headers)
		got := a.header.Get("Access-Control-Allow-Origin") == test.origin && a.header.Get("Access-Control-Allow-Headers") != ""
		if got != test.allowed || a.status >= 300 || !strings.Contains(a.header.Get("Vary"), "Origin") {
			t.Errorf("%s for %s: got %d %v", test.path, test.origin, a.status, a.header)
		}
	}
	a := f.ask("POST", "/signup", `{}`, jsonType, "X-API-Key: "+key, "Origin: https://evil.example")
	if a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a post for another origin: got %d %v, want it stored and unreadable", a.status, a.header)
	}
}

func TestWrongMethodsAndPlaces(t *testing.T) {
	f := serve(t)
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
		a := f.ask(test.method, test.path, "")
		if a.status != test.status || !strings.Contains(a.header.Get("Allow"), test.allow) {
			t.Errorf("%s %s: got %d, Allow %q; want %d, %q", test.method, test.path, a.status, a.header.Get("Allow"), test.status, test.allow)
		}
		if test.method == "HEAD" && a.body != "" {
			t.Errorf("%s %s: got a body", test.method, test.path)
		}
	}
}
