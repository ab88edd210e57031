package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleepUntil returns at the given clock time, or at most 20 ms after done turns true. It sleeps in
// nanosleep(2) because the runtime's timers are up to 1 ms late, which would add to every latency.
func sleepUntil(at int64, done func() bool) {
	for left := at - clock(); left > 0 && !done(); left = at - clock() {
		nap := unix.NsecToTimespec(min(left, int64(20*time.Millisecond)))
		_ = unix.Nanosleep(&nap, nil)
	}
}

// fitDescriptors raises the soft descriptor limit to the hard one and returns how many of n sockets
// fit beside reserve other descriptors, and the limit.
func fitDescriptors(n, reserve int) (fits, limit int) {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return n, 0
	}
	if r.Cur < r.Max {
		raised := unix.Rlimit{Cur: r.Max, Max: r.Max}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			r = raised
		}
	}
	limit = int(min(uint64(r.Cur), 1<<30))
	return max(0, min(n, limit-reserve)), limit
}
