package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// A page that is refused may read why, and what would allow it, whatever it accepts.
func TestRefusedPageMayReadWhatWouldAllowIt(t *testing.T) {
	h := serve(t)
	h.post(t, `{"user_name":"Ada"}`)
	tests := []struct {
		name, query, origin string
		status              int
		detail              []string
	}{
		{"an origin that is not allowed", "", "https://new.example", 403, []string{"PROOF_ALLOWED_ORIGINS=https://new.example"}},
		{"an origin with a port", "", "https://new.example:8443", 403, []string{"PROOF_ALLOWED_ORIGINS=https://new.example:8443"}},
		{"an origin that another site does not allow", "?site=shop", "https://pages.example.com", 403,
			[]string{"PROOF_SITES_0_ALLOWED_ORIGINS=https://pages.example.com"}},
		{"a file or a sandboxed frame", "", "null", 403, []string{"serve it from a web server", "PROOF_ALLOWED_ORIGINS"}},
		{"a site that does not exist", "?site=nobody", "https://pages.example.com", 404, []string{"data-site", "PROOF_SITES_1_NAME"}},
		{"a site that does not exist, from a foreign page", "?site=nobody", "https://new.example", 404, []string{"data-site", "PROOF_SITES_1_NAME"}},
		{"a site that does not exist, without an origin", "?site=nobody", "", 404, []string{"data-site", "PROOF_SITES_1_NAME"}},
		{"a name that no site can have", "?site=No_Body", "https://pages.example.com", 404, []string{"data-site", "PROOF_SITES_1_NAME"}},
	}
	for _, tt := range tests {
		for _, path := range []string{"/events", "/recent", "/stats"} {
			t.Run(tt.name+" "+path, func(t *testing.T) {
				got := h.request(t, "GET", path+tt.query, "", "Origin: "+tt.origin, "Accept: text/event-stream")
				checkRefusal(t, got, tt.status, "", jsonType)
				checkPublic(t, got)
				var p struct{ Detail string }
				if err := json.Unmarshal([]byte(got.body), &p); err != nil {
					t.Fatal(err)
				}
				for _, want := range tt.detail {
					if !strings.Contains(p.Detail, want) {
						t.Errorf("got %q, want it to name %s", p.Detail, want)
					}
				}
			})
		}
	}
}

// checkPublic checks that pages of every origin may read a response, without credentials, and that no cache mixes it up with
// that to another page.
func checkPublic(t *testing.T, got response) {
	t.Helper()
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After, Date, X-Request-Id", "Cache-Control": "no-store",
		"Access-Control-Allow-Credentials": "", "Vary": "Origin",
	} {
		if value := strings.Join(got.header.Values(name), ", "); value != want {
			t.Errorf("got %s %q, want %q", name, value, want)
		}
	}
	if strings.Contains(got.body, "Ada") {
		t.Errorf("the refusal has data: %s", got.body)
	}
}

// Other errors are not for pages of every origin.
func TestOtherErrorsAreNotPublic(t *testing.T) {
	h := serve(t)
	for _, path := range []string{"/nothing", "/signup/x-1", "/assets/nothing.js"} {
		got := h.request(t, "GET", path, "", "Origin: https://new.example")
		if allowed := got.header.Get("Access-Control-Allow-Origin"); got.status < 400 || allowed != "" {
			t.Errorf("%s: got %d with Access-Control-Allow-Origin %q, want none", path, got.status, allowed)
		}
	}
}

func TestFirstRefusalOfAnOriginIsLogged(t *testing.T) {
	h := serve(t)
	for range 3 {
		h.request(t, "GET", "/events", "", "Origin: https://new.example")
		h.request(t, "GET", "/recent?site=shop", "", "Origin: https://new.example")
	}
	logged := h.output.String()
	for _, variable := range []string{"PROOF_ALLOWED_ORIGINS", "PROOF_SITES_0_ALLOWED_ORIGINS"} {
		if n := strings.Count(logged, "variable="+variable+" value=https://new.example"); n != 1 {
			t.Errorf("%s was logged %d times, want once:\n%s", variable, n, logged)
		}
	}
}

// Only what can be allowed is repeated, in the log and in the response: the header may hold anything.
func TestOriginThatCannotBeAllowedIsNoAdvice(t *testing.T) {
	h := serve(t)
	for _, origin := range []string{"null", "*", "https://*.evil.example", "https://u:" + defaultKey + "@a.example", "https://evil.example/", defaultKey, "https://a b"} {
		resp := h.request(t, "GET", "/recent", "", "Origin: "+origin)
		if resp.status != 403 || strings.Contains(resp.body, origin) || !strings.Contains(resp.body, "serve it from a web server") {
			t.Errorf("%s: got %d %s, want 403 without it", origin, resp.status, resp.body)
		}
	}
	if logged := h.output.String(); strings.Count(logged, "level=WARN") != 1 || strings.Contains(logged, "value=") || strings.Contains(logged, defaultKey) {
		t.Errorf("got %s, want one warning without a value", logged)
	}
}

func TestFirstRefusalOfASiteIsLogged(t *testing.T) {
	h := serve(t)
	for range 3 {
		for _, path := range []string{"/events", "/recent", "/stats"} {
			h.request(t, "GET", path+"?site=nobody", "", "Origin: https://new.example")
			h.request(t, "GET", path+"?site=someone", "")
		}
	}
	logged := h.output.String()
	for _, site := range []string{"nobody", "someone"} {
		if n := strings.Count(logged, "variable=PROOF_SITES_1_NAME value="+site); n != 1 {
			t.Errorf("%s was logged %d times, want once:\n%s", site, n, logged)
		}
	}
	if n := strings.Count(logged, "level=WARN"); n != 2 {
		t.Errorf("got %d warnings, want 2:\n%s", n, logged)
	}
}

// A name that no site can have may be anything, and one that is a key must not be read by all who read the log.
func TestNameThatNoSiteCanHaveIsNotRepeated(t *testing.T) {
	h := serve(t)
	for _, name := range []string{"No_Body", strings.Repeat("long", 16), "%0Alevel=ERROR", "%00", defaultKey, shopKey} {
		resp := h.request(t, "GET", "/recent?site="+name, "")
		if resp.status != 404 || strings.Contains(resp.body, name) {
			t.Errorf("%s: got %d %s, want 404 without it", name, resp.status, resp.body)
		}
	}
	logged := h.output.String()
	if strings.Count(logged, "level=WARN") != 1 || strings.Contains(logged, "value=") || strings.Contains(logged, "canary") {
		t.Errorf("got %s, want one warning without a value", logged)
	}
}

// Requests cannot fill the memory or the log, and many names of sites do not hide a refused origin.
func TestLoggedRefusalsAreBounded(t *testing.T) {
	h := serve(t)
	for i := range maxFirsts + 100 {
		h.request(t, "GET", fmt.Sprint("/stats?site=s", i), "")
	}
	h.request(t, "GET", "/stats", "", "Origin: https://new.example")
	if n := len(h.refusedSites.seen); n != maxFirsts {
		t.Errorf("%d names are remembered, want %d", n, maxFirsts)
	}
	if n := strings.Count(h.output.String(), "variable=PROOF_SITES_1_NAME"); n != maxFirsts {
		t.Errorf("got %d warnings, want %d", n, maxFirsts)
	}
	h.awaitOutput(t, "value=https://new.example")
}
