package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// keyring knows who may post for which site. It holds digests, not keys.
type keyring struct {
	digests [][sha256.Size]byte
	sites   []string // by digest
}

func newKeyring(sites []Site) keyring {
	var k keyring
	for _, site := range sites {
		for _, key := range site.Keys {
			k.digests = append(k.digests, sha256.Sum256([]byte(key)))
			k.sites = append(k.sites, site.Name)
		}
	}
	return k
}

// site returns the site that a key posts for. It compares with every key, in constant time each,
// so that the time it takes tells nothing of how near a wrong key was.
func (k keyring) site(key string) (name string, ok bool) {
	digest := sha256.Sum256([]byte(key))
	found := -1
	for i := range k.digests {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(digest[:], k.digests[i][:]), i, found)
	}
	if found < 0 || key == "" {
		return "", false
	}
	return k.sites[found], true
}

// keyOf returns the key that a request presents: its Authorization header wins, then X-API-Key,
// then the body's field. The URL is never looked at.
func keyOf(r *http.Request, field string) string {
	if auth := r.Header.Get("Authorization"); auth != "" {
		scheme, key, _ := strings.Cut(auth, " ")
		if strings.EqualFold(scheme, "Bearer") { // RFC 9110 section 11.1: case-insensitive
			return strings.TrimSpace(key)
		}
	}
	if key := r.Header.Get("X-API-Key"); key != "" {
		return strings.TrimSpace(key)
	}
	return strings.TrimSpace(field)
}
