package origin

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// cutScheme splits at "://" and gives the scheme (RFC 3986 section 3.1) in lower case.
func cutScheme(s string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme == "" || scheme[0] < 'a' || scheme[0] > 'z' {
		return "", "", false
	}
	const tail = "abcdefghijklmnopqrstuvwxyz0123456789+-."
	return scheme, rest, strings.Trim(scheme, tail) == ""
}

// splitPort splits host[:port], where the host may be an IPv6 literal in brackets. It is not ok when there is a
// colon and nothing after it.
func splitPort(s string) (host, port string, ok bool) {
	end := strings.LastIndexByte(s, ']') + 1
	colon := strings.IndexByte(s[end:], ':')
	if colon < 0 {
		return s, "", true
	}
	host, port = s[:end+colon], s[end+colon+1:]
	return host, port, port != ""
}

// parsePort gives a port as browsers write it, which is empty for the scheme's default.
func parsePort(scheme, port string) (string, error) {
	if port == "" {
		return "", nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || port[0] == '0' {
		return "", errors.New("has a port that is no number from 1 to 65535")
	}
	if scheme == "http" && n == 80 || scheme == "https" && n == 443 {
		return "", nil
	}
	return port, nil
}

// parseHost gives a domain in lower case, an IPv4 address in dotted form or an IPv6 address in brackets, each in
// one spelling only. Like a browser's Origin header it knows no other characters than ASCII: the
// rest is punycode.
func parseHost(s string) (string, error) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", errors.New("has an IPv6 address that cannot be read")
		}
		return "[" + addr.String() + "]", nil
	}
	s = strings.ToLower(s)
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return "", errors.New("has a host that cannot be read; write a name (beyond ASCII in punycode, xn--…) or an address")
		}
	}
	if len(s) > 253 {
		return "", errors.New("has a host name of more than 253 characters")
	}
	if last := labels[len(labels)-1]; isNumber(last) { // WHATWG URL section 3.5: then the host is an IPv4 address
		if addr, err := netip.ParseAddr(s); err != nil || addr.String() != s {
			return "", errors.New("has an IPv4 address that cannot be read; write four decimal numbers")
		}
	}
	return s, nil
}

func isLabel(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	return s != "" && len(s) <= 63 && strings.Trim(s, letters) == ""
}

// isNumber tells whether a URL parser takes a last label for a part of an IPv4 address.
func isNumber(label string) bool {
	if strings.Trim(label, "0123456789") == "" {
		return true
	}
	hex, ok := strings.CutPrefix(label, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}

// privateUse are top-level domains that nobody registers names below (RFC 2606, 6761, 6762).
var privateUse = []string{"localhost", "test", "example", "internal", "local"}

// checkOwned returns an error unless all names below a host are one owner's. They are not below a public suffix, be
// it a registry's (com, co.uk) or that of a service which gives names to anybody (github.io). An address has none.
func checkOwned(host string) error {
	if host[0] == '[' || isNumber(host[strings.LastIndexByte(host, '.')+1:]) {
		return errors.New("has a * before an address, which has no names below it; write the address alone")
	}
	suffix, _ := publicsuffix.PublicSuffix("a." + host) // of the names below: some suffixes are any label before one (*.kawasaki.jp)
	if len(suffix) >= len(host) && !slices.Contains(privateUse, host) {
		return fmt.Errorf("has a * before %s, a public suffix, below which anybody can get a name; put your own name after the *", host)
	}
	return nil
}
