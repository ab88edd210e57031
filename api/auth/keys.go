package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Keyring holds the API keys of all sites, as digests. The zero value has none. It is safe for concurrent use.
type Keyring struct {
	keys atomic.Pointer[[]*Key]
}

// Key is an API key.
type Key struct {
	Site      string // that the key may post for
	digest    [sha256.Size]byte
	perSecond int
	limit     *rate.Limiter // of its signups; nil for none
}

// NewKey returns a key of a site, which may post perSecond signups a second, and twice that at once; 0 or less is no limit.
func NewKey(site, text string, perSecond int) *Key {
	k := &Key{Site: site, digest: sha256.Sum256([]byte(text)), perSecond: perSecond}
	if perSecond > 0 {
		k.limit = rate.NewLimiter(rate.Limit(perSecond), 2*perSecond)
	}
	return k
}

// Set replaces all keys at once. A key that was there before, for the same site and with the same limit, keeps what it has used of
// that. Of two equal keys the later one counts.
func (k *Keyring) Set(keys []*Key) {
	before := make(map[[sha256.Size]byte]*Key)
	for _, old := range k.all() {
		before[old.digest] = old
	}
	next := make([]*Key, 0, len(keys))
	for _, key := range keys {
		if old := before[key.digest]; old != nil && old.Site == key.Site && old.perSecond == key.perSecond {
			key = old
		}
		next = append(next, key)
	}
	k.keys.Store(&next)
}

func (k *Keyring) all() []*Key {
	if keys := k.keys.Load(); keys != nil {
		return *keys
	}
	return nil
}

// Find returns the key with this text, or nil. It compares the text with every key, each in constant time, so that its duration
// does not depend on how much of a wrong key is right.
func (k *Keyring) Find(text string) *Key {
	keys, digest := k.all(), sha256.Sum256([]byte(text))
	found := -1
	for i, key := range keys {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(digest[:], key.digest[:]), i, found)
	}
	if found < 0 || text == "" {
		return nil
	}
	return keys[found]
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
