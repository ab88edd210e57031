package origin

import (
	"net/url"
	"strings"
	"testing"
)

func TestOriginsAllow(t *testing.T) {
	tests := map[string]struct {
		pattern string
		allowed []string
		refused []string
	}{
		"an exact origin is itself and nothing that looks like it": {
			pattern: "https://example.com",
			allowed: []string{"https://example.com", "https://EXAMPLE.com", "https://example.com:443"},
			refused: []string{
				"http://example.com", "https://example.com:444", "https://example.com:80", "https://www.example.com",
				"https://evilexample.com", "https://example.com.evil.com", "https://example.community", "https://example.co",
				"https://example.com@evil.com", "https://evil.com#example.com", "https://evil.com/https://example.com",
				"https://evil.com?https://example.com", `https://evil.com\example.com`, "https://example.com/", "https://example.com ",
				" https://example.com", "https://example.com\n", "https://example.com\x00", "https://example.com.", "https://example.com:",
				"https://example.com:0443", "https://example.com:+443", "https://example.com:443:443", "https://example.com https://evil.com",
				"https://evil.com,https://example.com", "example.com", "//example.com", "https:example.com", "https:/example.com",
				"://example.com", "https://", "https://:443", "https://exаmple.com", "https://xn--exmple-4nf.com", "",
			},
		},
		"a port belongs to the origin": {
			pattern: "http://localhost:3000",
			allowed: []string{"http://localhost:3000"},
			refused: []string{"http://localhost", "http://localhost:30000", "http://localhost:300", "https://localhost:3000"},
		},
		"the scheme's own port is the same as none": {
			pattern: "http://shop.example:80",
			allowed: []string{"http://shop.example", "http://shop.example:80"},
			refused: []string{"https://shop.example", "http://shop.example:443", "https://shop.example:80"},
		},
		"any port, or none": {
			pattern: "http://localhost:*",
			allowed: []string{"http://localhost", "http://localhost:80", "http://localhost:1", "http://LOCALHOST:65535"},
			refused: []string{
				"http://localhost:65536", "http://localhost:0", "http://localhost:", "http://localhost:*", "http://localhost:80.evil.com",
				"http://localhost:80@evil.com", "http://localhost.evil.com:80", "http://a.localhost", "https://localhost:80",
			},
		},
		"labels on the left, at least one": {
			pattern: "https://*.example.com",
			allowed: []string{"https://a.example.com", "https://a.b.example.com", "https://A.Example.COM", "https://x_y.example.com"},
			refused: []string{
				"https://example.com", "https://.example.com", "https://a..example.com", "https://evilexample.com", "https://a.evilexample.com",
				"https://*.example.com", "https://a.example.com.evil.com", "https://evil.com?.example.com", "https://evil.com#.example.com",
				"https://evil.com/.example.com", `https://evil.com\.example.com`, "https://evil.com:.example.com", "https://evil.com:1.example.com",
				"https://evil@a.example.com", "https://evil.com%2f.example.com", "https://evil.com%00.example.com", "https://[::1].example.com",
				"https://evil.com\t.example.com", "https://evil.com|.example.com", "https://evil.com{.example.com", "https://é.example.com",
				"http://a.example.com", "https://a.example.com:8443",
			},
		},
		"labels below one's own name at a host of pages": {
			pattern: "https://*.shop.github.io",
			allowed: []string{"https://a.shop.github.io"},
			refused: []string{"https://shop.github.io", "https://evil.github.io", "https://a.evil.github.io"},
		},
		"labels below a name for private use": {
			pattern: "http://*.internal",
			allowed: []string{"http://shop.internal", "http://a.shop.internal"},
			refused: []string{"http://internal", "http://shop.internal.example"},
		},
		"labels on the left with a port": {
			pattern: "http://*.localhost:8080",
			allowed: []string{"http://shop.localhost:8080"},
			refused: []string{"http://localhost:8080", "http://shop.localhost", "http://shop.localhost:80"},
		},
		"an IPv4 address": {
			pattern: "http://127.0.0.1:*",
			allowed: []string{"http://127.0.0.1", "http://127.0.0.1:6009"},
			refused: []string{"http://127.0.0.10", "http://127.1", "http://0x7f.0.0.1", "http://127.0.0.01", "http://127.0.0.1.evil.com", "http://2130706433", "http://[::ffff:127.0.0.1]"},
		},
		"an IPv6 address, however it is spelt": {
			pattern: "http://[0:0:0:0:0:0:0:1]:6009",
			allowed: []string{"http://[::1]:6009"},
			refused: []string{"http://[::1]", "http://[::2]:6009", "http://::1:6009", "http://[::1%25lo]:6009", "http://[::1%lo]:6009", "http://[::1]x:6009", "http://[[::1]]:6009", "http://[::1:6009"},
		},
		"an IPv6 address of IPv4 kind": {
			pattern: "http://[::ffff:127.0.0.1]",
			allowed: []string{"http://[::ffff:7f00:1]"},
			refused: []string{"http://127.0.0.1"},
		},
		"an app's own scheme": {
			pattern: "capacitor://localhost",
			allowed: []string{"capacitor://localhost"},
			refused: []string{"http://localhost", "ionic://localhost", "capacitor://localhost:80"},
		},
		"punycode is a name like any other": {
			pattern: "https://xn--bcher-kva.example",
			allowed: []string{"https://xn--bcher-kva.example", "https://XN--bcher-kva.example"},
			refused: []string{"https://bücher.example", "https://bcher-kva.example"},
		},
		"everybody is everybody with an origin": {
			pattern: "*",
			allowed: []string{"https://example.com", "http://[::1]:1", "chrome-extension://abcdefgh", "http://10.0.0.1:8080"},
			refused: []string{"null", "NULL", "", "*", "file://", "null://", "https://*", "data:text/html,x", "javascript:alert(1)"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o, err := Parse([]string{test.pattern})
			if err != nil {
				t.Fatalf("Parse(%q): %v", test.pattern, err)
			}
			for _, origin := range test.allowed {
				if !o.Allow(origin) {
					t.Errorf("%q does not allow %q", test.pattern, origin)
				}
			}
			for _, origin := range test.refused {
				if o.Allow(origin) {
					t.Errorf("%q allows %q", test.pattern, origin)
				}
			}
		})
	}
}

func TestOriginsOfNoPatternAllowNobody(t *testing.T) {
	empty, err := Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []List{{}, empty} {
		for _, origin := range []string{"https://example.com", "http://localhost", "null", ""} {
			if o.Allow(origin) {
				t.Errorf("no pattern allows %q", origin)
			}
		}
	}
}

func TestOriginsAllowWhatAnyPatternAllows(t *testing.T) {
	o, err := Parse([]string{"https://a.example", "https://b.example:*"})
	if err != nil {
		t.Fatal(err)
	}
	if !o.Allow("https://a.example") || !o.Allow("https://b.example:99") || o.Allow("https://a.example:99") {
		t.Error("two patterns do not add up")
	}
}

func TestParseOriginsRefuses(t *testing.T) {
	tests := map[string]struct{ pattern, want string }{
		"no scheme":                               {"example.com", "scheme"},
		"no scheme but a port":                    {"localhost:3000", "scheme"},
		"a scheme that is none":                   {"1http://example.com", "scheme"},
		"an empty scheme":                         {"://example.com", "scheme"},
		"nothing":                                 {"", "scheme"},
		"null":                                    {"null", "null"},
		"a trailing slash":                        {"https://example.com/", "trailing slash"},
		"a path":                                  {"https://example.com/shop", "path"},
		"a query":                                 {"https://example.com?x", "after the host"},
		"a fragment":                              {"https://example.com#x", "after the host"},
		"a backslash":                             {`https://example.com\x`, "after the host"},
		"user info":                               {"https://me:pass@example.com", "user info"},
		"no host":                                 {"https://", "host"},
		"no host but a port":                      {"https://:443", "host"},
		"an empty port":                           {"https://example.com:", "port"},
		"port zero":                               {"https://example.com:0", "port"},
		"a port beyond the last":                  {"https://example.com:65536", "port"},
		"a port with a leading zero":              {"https://example.com:0443", "port"},
		"half a port":                             {"http://localhost:80*", "port"},
		"two ports":                               {"http://localhost:80:80", "port"},
		"a wildcard within a label":               {"https://*example.com", "foreign"},
		"a wildcard at a label's end":             {"https://shop*.example.com", "foreign"},
		"a wildcard in the middle":                {"https://shop.*.example.com", "foreign"},
		"a wildcard on the right":                 {"https://example.*", "foreign"},
		"a wildcard for the whole host":           {"https://*", "foreign"},
		"a wildcard scheme":                       {"*://example.com", "scheme"},
		"two wildcards":                           {"https://*.example.com:*", "more than one"},
		"two wildcard labels":                     {"https://*.*.example.com", "more than one"},
		"a wildcard before a top-level domain":    {"https://*.com", "public suffix"},
		"a wildcard before a country's second":    {"https://*.co.uk", "public suffix"},
		"a wildcard before a host of pages":       {"https://*.github.io", "before github.io, a public suffix"},
		"the same in capitals":                    {"https://*.GitHub.IO", "public suffix"},
		"a wildcard before a suffix of wildcards": {"https://*.kawasaki.jp", "public suffix"},
		"a wildcard before an unknown suffix":     {"https://*.nosuchtld", "public suffix"},
		"a wildcard before an IPv4 address":       {"http://*.0.0.1", "IPv4"},
		"a wildcard before a whole IPv4 address":  {"http://*.127.0.0.1", "address"},
		"a wildcard before an IPv6 address":       {"http://*.[::1]", "address"},
		"an IPv4 address in hexadecimal":          {"http://0x7f.0.0.1", "IPv4"},
		"a short IPv4 address":                    {"http://127.1", "IPv4"},
		"an IPv6 address without brackets":        {"http://::1", "port"},
		"an IPv6 address with a zone":             {"http://[fe80::1%25eth0]", "IPv6"},
		"letters beyond ASCII":                    {"https://bücher.example", "punycode"},
		"a percent sign":                          {"https://ex%61mple.com", "host"},
		"a trailing dot":                          {"https://example.com.", "host"},
		"two in one":                              {"https://a.example https://b.example", "after the host"},
		"a label of 64":                           {"https://" + strings.Repeat("a", 64) + ".example", "host"},
		"a name of 255":                           {"https://" + strings.Repeat("a.", 127) + "b", "253"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o, err := Parse([]string{"https://fine.example", test.pattern})
			if err == nil {
				t.Fatalf("%q is accepted", test.pattern)
			}
			if got := err.Error(); !strings.Contains(got, test.want) || !strings.HasPrefix(got, "origin 2 ") {
				t.Errorf("got %q, want origin 2 and %q", got, test.want)
			}
			if o.Allow("https://fine.example") {
				t.Error("a list with an error allows something")
			}
		})
	}
}

func TestParseOriginsTellsEveryFaultAndNoSecret(t *testing.T) {
	const secret = "kEy-Of-A-cUsToMeR"
	_, err := Parse([]string{secret, "https://x.example", "https://user:" + secret + "@x.example", "https://x.example/"})
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 {
		t.Errorf("got %d lines, want one for each of 3 faults:\n%v", len(lines), err)
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the secret is told: %v", err)
	}
	if want := `origin 4 ("https://x.example/")`; !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

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
		if o.Allow("null") || o.Allow("https://a-stranger.invalid") && pattern != "*" && !strings.Contains(pattern, ".invalid") {
			t.Errorf("pattern %q lets a stranger in", pattern)
		}
	})
}
