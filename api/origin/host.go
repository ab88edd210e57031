package origin

import (
	"errors"
	"strconv"
	"strings"
)

// cutScheme splits s at "://" and returns the scheme in lower case. It is not ok unless that is one (RFC 3986 section 3.1).
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

// parsePort returns a port as browsers write it: empty for the default of http and https.
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
