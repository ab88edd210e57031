package auth

import (
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks whose X-Forwarded-For is believed.
type Proxies []netip.Prefix

// Client returns the address that a request is counted for. It is the peer's; while that is a trusted proxy, it is the next
// address from the right in X-Forwarded-For. Anyone can have written what is left of the first address that is not trusted.
// An IPv6 address stands for its /64, which belongs to one household. The result is invalid if the peer's address cannot be
// read.
func (p Proxies) Client(r *http.Request) netip.Addr {
	at := parseHop(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.trust(at); i-- {
		hop := parseHop(strings.TrimSpace(hops[i]))
		if !hop.IsValid() {
			break // the proxy is the last address that can be trusted
		}
		at = hop
	}
	if at.Is6() {
		at = netip.PrefixFrom(at, 64).Masked().Addr()
	}
	return at
}

// trust reports whether an address is that of a trusted proxy.
func (p Proxies) trust(at netip.Addr) bool {
	for _, network := range p {
		if network.Contains(at) {
			return true
		}
	}
	return false
}

// parseHop returns an address that may have a port or an IPv6 zone, without either. IPv4 written as IPv6 becomes IPv4. It returns
// the zero Addr for anything else.
func parseHop(s string) netip.Addr {
	at, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		both, _ := netip.ParseAddrPort(s) // the zero value on an error
		at = both.Addr()
	}
	return at.WithZone("").Unmap()
}
