// Package origin says which web pages may talk to a site, and tells browsers so (CORS).
package origin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// List says which web pages may talk to a site. The zero value allows none. It is safe for concurrent use.
type List struct {
	any      bool // the pattern "*"
	patterns []pattern
}

// pattern is a tuple origin (WHATWG HTML section 7.1.1) in which the port or the leftmost labels may be open.
type pattern struct {
	scheme  string // lower case
	host    string // as parseHost gives it; with sub, only what follows the "*."
	port    string // empty is the scheme's default
	sub     bool   // at least one label before the host, not the host itself
	anyPort bool
}

// Parse reads patterns: scheme://host[:port], with at most one * as the whole port (which also matches
// none) or as the leftmost labels (https://*.example.com), or * alone. The port that a scheme has by default
// is the same as none. Any scheme will do, for apps have their own (capacitor://localhost).
//
// The error joins one for each pattern that it cannot read or that would let strangers in. A pattern is quoted
// only if it begins like a URL and holds no user info, since what was put in its place may be a secret.
func Parse(patterns []string) (List, error) {
	var l List
	var errs []error
	for i, s := range patterns {
		if s == "*" {
			l.any = true
			continue
		}
		p, err := parsePattern(s)
		if err != nil {
			name := fmt.Sprintf("origin %d", i+1)
			if strings.Contains(s, "://") && !strings.Contains(s, "@") {
				name += fmt.Sprintf(" (%q)", s)
			}
			errs = append(errs, fmt.Errorf("%s %w", name, err))
		}
		l.patterns = append(l.patterns, p)
	}
	if len(errs) > 0 {
		return List{}, errors.Join(errs...)
	}
	return l, nil
}

// Allow tells whether a page of this origin, as the Origin header has it, may talk to the site. What is
// no well-formed origin never may, and "null" (a sandboxed frame, a file) is none, whatever the patterns.
func (l List) Allow(origin string) bool {
	scheme, rest, ok := cutScheme(origin)
	if !ok {
		return false
	}
	host, port, ok := splitPort(rest)
	if !ok {
		return false
	}
	host, err := parseHost(host)
	if err != nil {
		return false
	}
	port, err = parsePort(scheme, port)
	if err != nil {
		return false
	}
	return l.any || slices.ContainsFunc(l.patterns, func(p pattern) bool {
		return p.match(scheme, host, port)
	})
}

func (p pattern) match(scheme, host, port string) bool {
	if p.scheme != scheme || !p.anyPort && p.port != port {
		return false
	}
	if p.sub {
		return strings.HasSuffix(host, "."+p.host)
	}
	return p.host == host
}

func parsePattern(s string) (pattern, error) {
	var p pattern
	scheme, rest, ok := cutScheme(s)
	switch {
	case strings.EqualFold(s, "null"):
		return p, errors.New("is null, which any page can be; write scheme://host[:port]")
	case !ok:
		return p, errors.New("has no scheme; write scheme://host[:port]")
	case strings.ContainsAny(rest, "/?#\\"):
		return p, errors.New("goes on after the host; write scheme://host[:port] without path or trailing slash")
	case strings.Contains(rest, "@"):
		return p, errors.New("has user info; write scheme://host[:port]")
	case strings.Count(rest, "*") > 1:
		return p, errors.New("has more than one *; one is allowed, as the port or the leftmost labels")
	}
	host, port, ok := splitPort(rest)
	if !ok {
		return p, errors.New("has a port that cannot be read; write scheme://host[:port]")
	}
	p.scheme = scheme
	return p.complete(host, port)
}

// complete fills in host and port, either of which may have the *.
func (p pattern) complete(host, port string) (pattern, error) {
	var err error
	if p.anyPort = port == "*"; !p.anyPort {
		if p.port, err = parsePort(p.scheme, port); err != nil {
			return p, err
		}
	}
	host, p.sub = strings.CutPrefix(host, "*.")
	if !p.sub && strings.Contains(host, "*") {
		return p, errors.New("has a * that would admit foreign domains; write it as whole labels, https://*.example.com")
	}
	if p.host, err = parseHost(host); err != nil {
		return p, err
	}
	if p.sub {
		err = checkOwned(p.host)
	}
	return p, err
}
