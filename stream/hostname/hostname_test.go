package hostname

import (
	"net/url"
	"strings"
	"testing"
)

func TestParseGivesOneSpelling(t *testing.T) {
	for name, test := range map[string]struct{ host, want string }{
		"a name":                       {"Shop.Example.com", "shop.example.com"},
		"a name of one label":          {"localhost", "localhost"},
		"an underscore":                {"a_b.example", "a_b.example"},
		"punycode":                     {"XN--bcher-kva.example", "xn--bcher-kva.example"},
		"an IPv4 address":              {"192.0.2.1", "192.0.2.1"},
		"an IPv6 address":              {"[0:0:0:0:0:0:0:1]", "[::1]"},
		"an IPv6 address of IPv4 kind": {"[::FFFF:127.0.0.1]", "[::ffff:127.0.0.1]"},
		"a name of 253 bytes":          {strings.Repeat("a.", 126) + "a", strings.Repeat("a.", 126) + "a"},
		"a label of 63 bytes":          {strings.Repeat("a", 63), strings.Repeat("a", 63)},
	} {
		if got, err := Parse(test.host); err != nil || got != test.want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, test.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, host := range map[string]string{
		"nothing": "", "an empty label": "a..b", "a final dot": "example.com.", "a first dot": ".example.com", "a space": "a b",
		"letters beyond ASCII": "bücher.example", "a percent sign": "a%41.example", "a port": "example.com:80", "user info": "me@example.com",
		"a wildcard": "*.example.com", "a label of 64 bytes": strings.Repeat("a", 64), "a name of 254 bytes": strings.Repeat("a.", 126) + "aa",
		"a number": "2130706433", "a short IPv4 address": "127.1", "a leading zero": "127.0.0.01", "a hexadecimal number": "0x7f.0.0.1",
		"a hexadecimal last label": "example.0x7f", "an IPv6 address without brackets": "::1", "a zone": "[fe80::1%25eth0]",
		"an open bracket": "[::1", "IPv4 in brackets": "[127.0.0.1]",
	} {
		if got, err := Parse(host); err == nil {
			t.Errorf("%s: got %q, want an error", name, got)
		}
	}
}

func TestIsPublic(t *testing.T) {
	for host, want := range map[string]bool{
		"proof.example.com": true, "xn--bcher-kva.example": true, "a.b": true,
		"localhost": false, "192.0.2.1": false, "[::1]": false, "*.example.com": false, "a_b.example": false, "-a.example": false,
		"a-.example": false, "example.1a": false, "Proof.example.com": false, "example.com.": false, "https://example.com": false,
		strings.Repeat("a.", 126) + "aa": false,
	} {
		if got := IsPublic(host); got != want {
			t.Errorf("%q: got %t, want %t", host, got, want)
		}
	}
}

// FuzzParse requires that what passes is the same host to net/url, a parser written by others, and passes again as it is.
func FuzzParse(f *testing.F) {
	for _, host := range []string{"Example.com", "127.0.0.1", "[::1]", "0x7f.1", "a..b"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		got, err := Parse(host)
		if err != nil {
			return
		}
		u, err := url.Parse("https://" + host + "/")
		if err != nil || !strings.EqualFold(u.Host, host) || u.User != nil || u.Path != "/" {
			t.Errorf("%q: net/url got %+v, %v", host, u, err)
		}
		if again, err := Parse(got); err != nil || again != got {
			t.Errorf("%q: got %q, then %q, %v", host, got, again, err)
		}
		if IsPublic(got) && IsAddress(got) {
			t.Errorf("%q is an address and public", got)
		}
	})
}
