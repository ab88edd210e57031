package main

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// sameAddress reports whether two addresses to listen on exclude each other: their ports are equal and their hosts are, or one host is
// every interface. Names other than localhost are not looked up.
func sameAddress(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || strings.Trim(portA, "0") == "" {
		return false
	}
	return hostA == hostB || isWildcard(hostA) || isWildcard(hostB) || isLoopback(hostA) && isLoopback(hostB)
}

// isWildcard reports whether a host stands for every interface.
func isWildcard(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// isLoopback reports whether a host is localhost or an address that it usually has.
func isLoopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// checkACME checks where certificates come from, and warns when each node of a cluster would obtain its own.
func (p *problems) checkACME(c *Config) {
	if u, err := url.Parse(c.ACMEDirectory); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		p.add("PROOF_ACME_DIRECTORY", "not the address of a certificate authority; write https://host/path")
	}
	if c.ACMEEmail != "" && (strings.Count(c.ACMEEmail, "@") != 1 || strings.ContainsAny(c.ACMEEmail, " \t<>,:")) {
		p.add("PROOF_ACME_EMAIL", "not a mail address; write name@example.com")
	}
	if len(c.ACMEHosts) > 0 && c.NATSURL != "" {
		p.warn("PROOF_ACME_HOSTS", "for one node only: of several, each would answer challenges of its own alone; with more than one node, "+
			"let a proxy in front obtain the certificates and serve HTTPS")
	}
}
