package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"golang.org/x/time/rate"
)

// keyring knows who may post for which site. It holds digests, not keys.
type keyring []holder

// holder is who has one key.
type holder struct {
	digest [sha256.Size]byte
	site   string
	limit  *rate.Limiter // of its signups; nil for none
}

// newKeyring takes in the keys of all sites, each with its own limit of signups per second and
// twice that at once; 0 is no limit.
func newKeyring(sites []Site, perSecond int) keyring {
	var k keyring
	for _, site := range sites {
		for _, key := range site.Keys {
			h := holder{digest: sha256.Sum256([]byte(key)), site: site.Name}
			if perSecond > 0 {
				h.limit = rate.NewLimiter(rate.Limit(perSecond), 2*perSecond)
			}
			k = append(k, h)
		}
	}
	return k
}

// holder returns who has a key, or nil. It compares with every key, in constant time each, so that
// the time it takes tells nothing of how near a wrong key was.
func (k keyring) holder(key string) *holder {
	digest := sha256.Sum256([]byte(key))
	found := -1
	for i := range k {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(digest[:], k[i].digest[:]), i, found)
	}
	if found < 0 || key == "" {
		return nil
	}
	return &k[found]
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
