package api

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// wrongKeysPerMinute is how many wrong keys one address may try.
const wrongKeysPerMinute = 20

// failedAuth limits wrong keys by address. Its memory is bounded: a limiter that was not used for a
// minute is full again, so that forgetting it changes nothing. Two maps make that cheap: when the
// young one has served a minute it becomes the old one, and what is still in use moves over. When
// it is full before that, the longest unused are forgotten early: a client with so many addresses is
// not stopped by a limit on each.
type failedAuth struct {
	mu         sync.Mutex // guards all below
	young, old map[netip.Addr]*rate.Limiter
	since      time.Time // when young was begun
}

// maxLimiters is how many addresses each of the two maps holds, about 5 MB.
const maxLimiters = 1 << 15

// wait counts a wrong key and returns 0, or how long its address has to wait before the next.
func (f *failedAuth) wait(from netip.Addr, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.young == nil || now.Sub(f.since) >= time.Minute || len(f.young) >= maxLimiters {
		f.young, f.old = make(map[netip.Addr]*rate.Limiter), f.young
		f.since = now
	}
	limit := f.young[from]
	if limit == nil {
		if limit = f.old[from]; limit == nil {
			limit = rate.NewLimiter(rate.Every(time.Minute/wrongKeysPerMinute), wrongKeysPerMinute)
		}
		f.young[from] = limit
	}
	return reserve(limit, now)
}

// reserve takes one token and returns 0, or takes none and returns how long until there is one.
func reserve(limit *rate.Limiter, now time.Time) time.Duration {
	taken := limit.ReserveN(now, 1)
	wait := taken.DelayFrom(now)
	if wait > 0 {
		taken.CancelAt(now)
	}
	return wait
}

// authorize returns who holds the key that a request presents. The error is a 401, the same for a
// missing key and every wrong one, or a 429 for an address that has tried too many.
func (s *Server) authorize(r *http.Request, field string) (*holder, error) {
	key := keyOf(r, field)
	if h := s.keys.holder(key); h != nil {
		return h, nil
	}
	if key != "" {
		if wait := s.failedAuth.wait(proxies(s.o.TrustedProxies).client(r), time.Now()); wait > 0 {
			return nil, tooMany("Too many wrong API keys from this address: correct the key, then try again later", wait)
		}
	}
	return nil, badKey()
}

// limitRate takes one signup off what a key may post now, or returns a 429.
func (h *holder) limitRate() error {
	if h.limit == nil {
		return nil
	}
	if wait := reserve(h.limit, time.Now()); wait > 0 {
		return tooMany("Too many signups with this API key: try again later", wait)
	}
	return nil
}

func tooMany(detail string, wait time.Duration) *Problem {
	return &Problem{Status: http.StatusTooManyRequests, Detail: detail, RetryAfter: wait}
}

// connections limits open streams by address. The zero value, with most 0, has no limit and counts nothing.
type connections struct {
	most int

	mu   sync.Mutex // guards open
	open map[netip.Addr]int
}

// enter counts a stream in and returns what counts it out, or nil when its address has as many as allowed.
func (c *connections) enter(p proxies, r *http.Request) (leave func()) {
	if c.most == 0 {
		return func() {}
	}
	from := p.client(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[from] >= c.most {
		return nil
	}
	if c.open == nil {
		c.open = make(map[netip.Addr]int)
	}
	c.open[from]++
	return func() { c.leave(from) }
}

func (c *connections) leave(from netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[from]--; c.open[from] == 0 {
		delete(c.open, from)
	}
}
