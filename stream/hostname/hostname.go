// Package hostname checks the host of a URL, for everything that reads one: addresses in signups, origins, and names for
// certificates. Browsers, proxies and servers read unusual spellings differently, so only usual ones pass.
package hostname

import (
	"errors"
	"net/netip"
	"regexp"
	"strings"
)

// maxLength is the longest name, in bytes (RFC 1035 section 2.3.4, without the length bytes).
const maxLength = 253

// maxLabel is the longest label of a name, in bytes (RFC 1035 section 2.3.4).
const maxLabel = 63

// Parse returns a host in its only spelling: a name in lower case, an IPv4 address as four decimal numbers, or an IPv6
// address in brackets, shortened (RFC 5952). A name has letters, digits, hyphens and underscores of ASCII, at most 253
// bytes in labels of 1 to 63; what is beyond ASCII has to be in punycode, as in a browser's Origin header. A final dot
// and an IPv6 zone are errors. The error completes a sentence whose subject is the text with the host.
func Parse(s string) (string, error) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", errors.New("has an IPv6 address that cannot be read")
		}
		return "[" + addr.String() + "]", nil
	}
	s = strings.ToLower(s)
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return "", errors.New("has a host that cannot be read; write a name (beyond ASCII in punycode, xn--…) or an address")
		}
	}
	if len(s) > maxLength {
		return "", errors.New("has a host name of more than 253 characters")
	}
	if IsAddress(s) {
		if addr, err := netip.ParseAddr(s); err != nil || addr.String() != s {
			return "", errors.New("has an IPv4 address that cannot be read; write four decimal numbers")
		}
	}
	return s, nil
}

func isLabel(s string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	return s != "" && len(s) <= maxLabel && strings.Trim(s, allowed) == ""
}

// IsAddress reports whether a host that Parse has returned is an address. It is an IPv4 address when its last label is a
// number, decimal or hexadecimal (WHATWG URL section 3.5).
func IsAddress(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if strings.HasPrefix(host, "[") || strings.Trim(last, "0123456789") == "" {
		return true
	}
	hex, ok := strings.CutPrefix(last, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}

var fullName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// IsPublic reports whether a certificate authority can issue for a host: a full domain name in lower case, of letters,
// digits and hyphens (RFC 1123 section 2.1). Addresses, wildcards and names of one label are not.
func IsPublic(host string) bool { return len(host) <= maxLength && fullName.MatchString(host) }
