package origin

import (
	"net/url"
	"strings"
	"testing"
)

// What net/url reads from an allowed origin, a parser written by others, has to lie within the pattern.
func FuzzOriginsAllowOnlyTheirOwn(f *testing.F) {
	wild, err := Parse([]string{"https://*.example.com"})
	if err != nil {
		f.Fatal(err)
	}
	exact, err := Parse([]string{"https://example.com:*"})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"https://a.example.com", "https://example.com:8443", "https://evil.com#.example.com", "null"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, origin string) {
		if !wild.Allow(origin) && !exact.Allow(origin) {
			return
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Path+u.RawQuery+u.Fragment != "" {
			t.Fatalf("%q is allowed", origin)
		}
		host := strings.ToLower(u.Hostname())
		if wild.Allow(origin) && (!strings.HasSuffix(host, ".example.com") || u.Port() != "" && u.Port() != "443") {
			t.Errorf("%q is allowed as a name below example.com", origin)
		}
		if exact.Allow(origin) && host != "example.com" {
			t.Errorf("%q is allowed as example.com", origin)
		}
	})
}

// A pattern without a wildcard is an origin, and allows that one; with one it does not allow its own text.
func FuzzParseOrigins(f *testing.F) {
	for _, s := range []string{"https://example.com", "http://localhost:*", "https://*.example.com", "*", "http://[::1]:80", "https://*.co.uk"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		o, err := Parse([]string{pattern})
		if err != nil {
			return
		}
		if got, want := o.Allow(pattern), !strings.Contains(pattern, "*"); got != want {
			t.Errorf("pattern %q allows its own text: %v, want %v", pattern, got, want)
		}
		if o.Allow("null") || o.Allow("https://foreign.invalid") && pattern != "*" && !strings.Contains(pattern, ".invalid") {
			t.Errorf("pattern %q allows a foreign page", pattern)
		}
	})
}
