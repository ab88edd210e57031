package main

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// linkName matches the variables that Kubernetes sets for each Service, and Docker for each link, when its name begins with proof.
// The submatches are the kind of value.
var linkName = regexp.MustCompile(`^PROOF_(?:[A-Z0-9_]+?_)??(?:(SERVICE_HOST)|(SERVICE_PORT(?:_[A-Z0-9_]+)?)|PORT|` +
	`PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:(PROTO)|(PORT)|(ADDR)))?)$`)

// dockerName matches the other variables that Docker sets for a link.
var dockerName = regexp.MustCompile(`^PROOF_(?:NATS_|METRICS_)?(?:(NAME)|ENV_.+)$`)

// containerPath matches the value of Docker's NAME: the container and its alias.
var containerPath = regexp.MustCompile(`^/[^/\s]+/[^/\s]+$`)

// protocols are those of the ports of a link.
var protocols = []string{"tcp", "udp", "sctp"}

// isLink reports whether a variable is one that a link has set, by its name and the form of its value.
func isLink(name, value string) bool {
	if m := dockerName.FindStringSubmatch(name); m != nil {
		return m[1] == "" || containerPath.MatchString(value)
	}
	m := linkName.FindStringSubmatch(name)
	switch {
	case m == nil:
		return false
	case m[1] != "" || m[5] != "":
		_, err := netip.ParseAddr(value)
		return err == nil
	case m[2] != "" || m[4] != "":
		_, err := strconv.ParseUint(value, 10, 16)
		return err == nil
	case m[3] != "":
		return slices.Contains(protocols, value)
	}
	u, err := url.Parse(value)
	return err == nil && slices.Contains(protocols, u.Scheme) && u.Host != ""
}

// linkVariables returns the variables that links have set, sorted.
func linkVariables(environ []string) (linked []string) {
	names := knownNames()
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if value = strings.TrimSpace(value); value != "" && !names[name] && !siteVariable.MatchString(name) && isLink(name, value) {
			linked = append(linked, name)
		}
	}
	slices.Sort(linked)
	return slices.Compact(linked)
}
