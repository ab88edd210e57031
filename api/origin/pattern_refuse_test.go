package origin

import (
	"strings"
	"testing"
)

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
			list, err := Parse([]string{"https://fine.example", test.pattern})
			if err == nil {
				t.Fatalf("%q is accepted", test.pattern)
			}
			if got := err.Error(); !strings.Contains(got, test.want) || !strings.HasPrefix(got, "origin 2 ") {
				t.Errorf("got %q, want origin 2 and %q", got, test.want)
			}
			if list.Allow("https://fine.example") {
				t.Error("a list with an error allows something")
			}
		})
	}
}

func TestParseOriginsReportsEveryFaultAndNoSecret(t *testing.T) {
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
		t.Errorf("the error shows the secret: %v", err)
	}
	if want := `origin 4 ("https://x.example/")`; !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
