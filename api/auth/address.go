package auth

import (
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks whose X-Forwarded-For is believed.
type Proxies []netip.Prefix

// Client returns the address that a request is counted for: that of its peer, or, while that is a
// trusted proxy, the hop that it names in X-Forwarded-For, and so on from the right. Anybody can have written what
// stands left of the first hop that is not trusted. An IPv6 address stands for its /64, since one household has all
// of that. The address is invalid if the peer's is none.
func (p Proxies) Client(r *http.Request) netip.Addr {
	at := parseHop(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.trust(at); i-- {
		hop := parseHop(strings.TrimSpace(hops[i]))
		if !hop.IsValid() {
			break // the proxy itself is the last that is known for sure
		}
		at = hop
	}
	if at.Is6() {
		at = netip.PrefixFrom(at, 64).Masked().Addr()
	}
	return at
}

func (p Proxies) trust(at netip.Addr) bool {
	for _, network := range p {
		if network.Contains(at) {
			return true
		}
	}
	return false
}

// parseHop reads an address, with or without a port. IPv4 written as IPv6 is IPv4. It returns the
// zero Addr for anything else.
func parseHop(s string) netip.Addr {
	at, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		both, _ := netip.ParseAddrPort(s) // the zero value if that is none either
		at = both.Addr()
	}
	return at.WithZone("").Unmap()
}
