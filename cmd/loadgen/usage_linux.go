package main

import "golang.org/x/sys/unix"

// cpuTime returns the seconds that all threads of a process have run, and how many of them in user
// space. The total is that of utime and stime in /proc, read from the process's CPU clock
// (clock_getcpuclockid(3)) because /proc rounds to 10 ms, which is much in a short phase.
func cpuTime(pid int) (total, user float64, err error) {
	user, system, err := ticks(pid)
	if err != nil {
		return 0, 0, err
	}
	const scheduled = 2 // CPUCLOCK_SCHED
	var now unix.Timespec
	if unix.ClockGettime(int32(^pid<<3|scheduled), &now) != nil {
		return user + system, user, nil
	}
	return float64(now.Nano()) / 1e9, user, nil
}
