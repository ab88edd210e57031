package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// Keyring holds the API keys of all sites, as digests. Fill it with Add; from then on it is safe for concurrent use.
type Keyring []Key

// Key is an API key and what it opens.
type Key struct {
	Site   string
	digest [sha256.Size]byte
	limit  *rate.Limiter // of its signups; nil for none
}

// Add takes in keys of a site. Each may post perSecond signups a second, and twice that at once; 0 is no limit.
func (k *Keyring) Add(site string, keys []string, perSecond int) {
	for _, key := range keys {
		added := Key{Site: site, digest: sha256.Sum256([]byte(key))}
		if perSecond > 0 {
			added.limit = rate.NewLimiter(rate.Limit(perSecond), 2*perSecond)
		}
		*k = append(*k, added)
	}
}

// Find returns the key with this text, or nil. It compares with every key, in constant time each, so that
// the time it takes tells nothing of how near a wrong key was.
func (k Keyring) Find(text string) *Key {
	digest := sha256.Sum256([]byte(text))
	found := -1
	for i := range k {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(digest[:], k[i].digest[:]), i, found)
	}
	if found < 0 || text == "" {
		return nil
	}
	return &k[found]
}

// Wait counts a signup and returns 0, or counts none and returns how long the key has to wait before its next.
func (k *Key) Wait(now time.Time) time.Duration {
	if k.limit == nil {
		return 0
	}
	return reserve(k.limit, now)
}

// Presented returns the text of the key that a request presents, empty for none: its Authorization header wins, then
// X-API-Key, then field, the body's. The URL is never read.
func Presented(r *http.Request, field string) string {
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
