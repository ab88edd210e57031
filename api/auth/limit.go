package auth

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// FailuresPerMinute is how many wrong keys one address may try in a minute.
const FailuresPerMinute = 20

// maxLimiters is how many addresses each of the two maps of Failures holds, about 5 MB.
const maxLimiters = 1 << 15

// Failures limits wrong keys by address. The zero value is ready for use, also concurrently.
//
// Its memory is bounded: a limiter that was not used for a minute is full again, so that forgetting it changes
// nothing. Two maps make that cheap: when the young one has served a minute it becomes the old one, and what is still
// in use moves over. When it is full before that, the longest unused are forgotten early: a client with that many
// addresses is not stopped by a limit on each.
type Failures struct {
	mu         sync.Mutex // guards all below
	young, old map[netip.Addr]*rate.Limiter
	since      time.Time // when young was begun
}

// Wait counts a wrong key and returns 0, or how long its address has to wait before the next.
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

// reserve takes one token and returns 0, or takes none and returns how long until there is one.
func reserve(limit *rate.Limiter, now time.Time) time.Duration {
	taken := limit.ReserveN(now, 1)
	wait := taken.DelayFrom(now)
	if wait > 0 {
		taken.CancelAt(now)
	}
	return wait
}
