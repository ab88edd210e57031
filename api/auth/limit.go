package auth

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// FailuresPerMinute is how many wrong keys one client address may send in a minute, and at once.
const FailuresPerMinute = 20

// maxLimiters is how many addresses each of the two maps of Failures holds at most, in about 5 MB.
const maxLimiters = 1 << 15

// Failures is the failed-auth limit: it limits wrong keys by client address. The zero value is ready to use, also concurrently.
//
// It holds at most 2 × maxLimiters addresses. A limiter that was not used for a minute has all its tokens again, so that it
// can be dropped. That needs no search: after a minute the young map becomes the old one, and a limiter that is used moves
// to the young one. When the young map is full earlier, so is the change: no limit by address stops a client that has so
// many of them.
type Failures struct {
	mu         sync.Mutex // guards the fields below
	young, old map[netip.Addr]*rate.Limiter
	since      time.Time // when young was empty
}

// Wait counts a wrong key of an address and returns 0, or counts none and returns how long until the address may send the next.
func (f *Failures) Wait(from netip.Addr, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.young == nil || now.Sub(f.since) >= time.Minute || len(f.young) >= maxLimiters {
		f.young, f.old = make(map[netip.Addr]*rate.Limiter), f.young
		f.since = now
	}
	limit := f.young[from]
	if limit == nil {
		if limit = f.old[from]; limit == nil {
			limit = rate.NewLimiter(rate.Every(time.Minute/FailuresPerMinute), FailuresPerMinute)
		}
		f.young[from] = limit
	}
	return reserve(limit, now)
}

// reserve takes a token and returns 0, or takes none and returns how long until there is one.
func reserve(limit *rate.Limiter, now time.Time) time.Duration {
	taken := limit.ReserveN(now, 1)
	wait := taken.DelayFrom(now)
	if wait > 0 {
		taken.CancelAt(now)
	}
	return wait
}
