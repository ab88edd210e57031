package origin

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/net/publicsuffix"

	"proofstream/stream/hostname"
)

// privateUse are top-level domains below which no registry sells names (RFC 2606, RFC 6761, RFC 6762, and ICANN's reservation of
// internal).
var privateUse = []string{"localhost", "test", "example", "internal", "local"}

// checkOwned returns an error unless all names below a host belong to one owner. Below a public suffix they do not: that of a
// registry (com, co.uk), or of a service where anyone gets a name (github.io). Below an address there are none.
func checkOwned(host string) error {
	if hostname.IsAddress(host) {
		return errors.New("has a * before an address, which has no names below it; write the address alone")
	}
	suffix, _ := publicsuffix.PublicSuffix("a." + host) // of a name below: some suffixes have a wildcard (*.kawasaki.jp)
	if len(suffix) >= len(host) && !slices.Contains(privateUse, host) {
		return fmt.Errorf("has a * before %s, a public suffix, below which anybody can get a name; put your own name after the *", host)
	}
	return nil
}
