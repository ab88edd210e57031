package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// Keyring holds the API keys of all sites, as digests. Call Add first; the other methods are safe for concurrent use.
type Keyring []Key

// Key is an API key.
type Key struct {
	Site   string // that the key may post for
	digest [sha256.Size]byte
	limit  *rate.Limiter // of its signups; nil for none
}

// Add adds keys of a site. Each may post perSecond signups a second, and twice that at once; 0 or less is no limit. Of two equal
// keys the later one counts.
func (k *Keyring) Add(site string, keys []string, perSecond int) {
	for _, key := range keys {
		added := Key{Site: site, digest: sha256.Sum256([]byte(key))}
		if perSecond > 0 {
			added.limit = rate.NewLimiter(rate.Limit(perSecond), 2*perSecond)
		}
		*k = append(*k, added)
	}
}

// Find returns the key with this text, or nil. It compares the text with every key, each in constant time, so that its duration
// does not depend on how much of a wrong key is right.
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

// Wait counts a signup and returns 0, or counts none and returns how long until the key may post the next one.
func (k *Key) Wait(now time.Time) time.Duration {
	if k.limit == nil {
		return 0
	}
	return reserve(k.limit, now)
}

// Presented returns the text of the key that a request presents, empty for none. A Bearer key in Authorization wins, then
// X-API-Key, then field, the one of the body. The URL is not read, since URLs are logged.
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
