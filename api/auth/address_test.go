package auth

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestAddressIsThePeersUnlessAProxyIsTrusted(t *testing.T) {
	trusted := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")}
	for _, tt := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "192.0.2.7:999", nil, "192.0.2.7"},
		{"the header of a peer that is not trusted is ignored", "192.0.2.7:999", []string{"198.51.100.1"}, "192.0.2.7"},
		{"a trusted proxy's header counts", "10.1.2.3:999", []string{"198.51.100.1"}, "198.51.100.1"},
		{"only the last hop is from the proxy", "10.1.2.3:999", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.1.2.3:999", []string{"203.0.113.9, 198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		{"two header lines", "10.1.2.3:999", []string{"203.0.113.9", "198.51.100.1"}, "198.51.100.1"},
		{"proxies only", "10.1.2.3:999", []string{"10.0.0.1, 10.0.0.2"}, "10.0.0.1"},
		{"garbage stops the walk", "10.1.2.3:999", []string{"198.51.100.1, unknown"}, "10.1.2.3"},
		{"an empty header", "10.1.2.3:999", []string{""}, "10.1.2.3"},
		{"no header", "10.1.2.3:999", nil, "10.1.2.3"},
		{"a hop with a port", "10.1.2.3:999", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"IPv4 written as IPv6", "[::ffff:10.1.2.3]:999", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"IPv6 stands for its /64", "[2001:db8:1:2:3:4:5:6]:999", nil, "2001:db8:1:2::"},
		{"the same household", "[2001:db8:1:2:ffff::1]:999", nil, "2001:db8:1:2::"},
		{"IPv6 with a zone", "[fe80::1%eth0]:999", nil, "fe80::"},
		{"IPv6 behind an IPv6 proxy", "[2001:db8:ffff::1]:999", []string{"[2001:db8:7:8:9::1]:80"}, "2001:db8:7:8::"},
		{"no address at all", "@", nil, "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.forwarded, "X-Real-Ip": {"198.51.100.77"}}}
		if got := trusted.Client(r).String(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// A peer that is not trusted is counted under its own address, whatever it sends. Behind a trusted proxy the result is a whole IPv4 address or
// an IPv6 /64.
func FuzzClientAddress(f *testing.F) {
	for _, seed := range []string{"", "192.0.2.1", "10.0.0.1, 192.0.2.1", "[2001:db8::1]:80", "::ffff:1.2.3.4", ",,,", "unknown, 1.2.3.4:5", "fe80::1%eth0"} {
		f.Add(seed)
	}
	trusted := Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, forwarded string) {
		r := &http.Request{RemoteAddr: "192.0.2.7:1", Header: http.Header{"X-Forwarded-For": {forwarded}}}
		if got := trusted.Client(r); got != netip.MustParseAddr("192.0.2.7") {
			t.Errorf("a peer that is not trusted is counted as %v", got)
		}
		r.RemoteAddr = "10.0.0.7:1"
		got := trusted.Client(r)
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Errorf("a visitor behind a proxy is counted as %v", got)
		}
		if got.Is6() && netip.PrefixFrom(got, 64).Masked().Addr() != got {
			t.Errorf("%v is not the first of its /64", got)
		}
	})
}
