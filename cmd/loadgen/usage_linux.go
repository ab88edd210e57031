package main

import (
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// processUsage reads CPU time and resident memory of one process. Where the kernel allows, it
// replaces two figures of /proc/PID/stat by exact ones: CPU time is rounded to 10 ms there, which
// is much in a short phase, and memory is off by up to a few hundred kilobytes.
func processUsage(pid int) (usage, error) {
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return usage{}, err
	}
	stat, err := proc.Stat()
	if err != nil {
		return usage{}, err
	}
	const userHZ = 100 // clock ticks per second on every Linux that Go supports
	u := usage{cpu: stat.CPUTime(), user: float64(stat.UTime) / userHZ, memory: int64(stat.ResidentMemory())}
	if exact, err := proc.ProcSMapsRollup(); err == nil {
		u.memory = int64(exact.Rss)
	}
	const scheduled = 2 // CPUCLOCK_SCHED; the id is that of clock_getcpuclockid(3)
	var now unix.Timespec
	if unix.ClockGettime(int32(^pid<<3|scheduled), &now) == nil {
		u.cpu = float64(now.Nano()) / 1e9
	}
	return u, nil
}
