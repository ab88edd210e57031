package origin

import "testing"

func TestOriginsAllow(t *testing.T) {
	tests := map[string]struct {
		pattern string
		allowed []string
		refused []string
	}{
		"an exact origin is itself and nothing similar": {
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
		"a * alone is every page that has an origin": {
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
