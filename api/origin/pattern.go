// Package origin decides which web pages may read a site's events, and writes the CORS headers that tell browsers so.
package origin

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"proofstream/stream/hostname"
)

// List is a list of patterns of origins whose pages may read a site's events. The zero value allows none. It is safe for
// concurrent use.
type List struct {
	any      bool // the pattern "*"
	patterns []pattern
}

// pattern is a tuple origin (WHATWG HTML section 7.1.1) in which the port or the leftmost labels may be a wildcard.
type pattern struct {
	scheme  string // lower case
	host    string // as hostname.Parse returns it; with sub, only what follows the "*."
	port    string // empty for the scheme's default
	sub     bool   // at least one label before the host, not the host itself
	anyPort bool
}

// Parse returns a list of patterns: scheme://host[:port], with at most one *, which is the whole port (and matches none too) or
// the leftmost labels (https://*.example.com), or a * alone, which matches every origin. The default port of a scheme is the
// same as none. A scheme need not be http or https, since apps have their own (capacitor://localhost).
//
// The error joins one for each pattern that cannot be read or that has a * before a public suffix or an address. It quotes a
// pattern only if that has "://" and no user info, since a secret may have been put in its place.
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

// Allow reports whether a pattern matches an origin, given as in the Origin header. No pattern matches what is not well-formed,
// nor "null", the origin of sandboxed frames and files.
func (l List) Allow(origin string) bool {
	scheme, rest, ok := cutScheme(origin)
	if !ok {
		return false
	}
	host, port, ok := splitPort(rest)
	if !ok {
		return false
	}
	host, err := hostname.Parse(host)
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

// Allowable reports whether an origin is also a pattern that matches only itself: adding it to a list allows it, and nothing
// else.
func Allowable(origin string) bool {
	l, err := Parse([]string{origin})
	return err == nil && l.Allow(origin)
}

// match reports whether a pattern matches an origin whose parts Allow has checked.
func (p pattern) match(scheme, host, port string) bool {
	if p.scheme != scheme || !p.anyPort && p.port != port {
		return false
	}
	if p.sub {
		return strings.HasSuffix(host, "."+p.host)
	}
	return p.host == host
}

// parsePattern reads one pattern. The error completes a sentence whose subject is the pattern.
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

// complete sets host and port, either of which may have the *.
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
	if p.host, err = hostname.Parse(host); err != nil {
		return p, err
	}
	if p.sub {
		err = checkOwned(p.host)
	}
	return p, err
}
