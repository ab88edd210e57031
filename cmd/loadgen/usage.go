package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// usage is what a set of processes has used up to one moment.
type usage struct {
	cpu    float64 // seconds, user and system
	user   float64 // seconds in user space, in steps of 10 ms
	memory int64   // bytes resident now
}

// Usage is what processes used during a phase.
type Usage struct {
	CPUSeconds    float64 `json:"cpu_seconds"`
	UserSeconds   float64 `json:"user_seconds"`
	CPUShare      float64 `json:"cpu_share"` // of one core
	MicrosPerUnit float64 `json:"cpu_us_per_delivery,omitempty"`
	ResidentBytes int64   `json:"resident_bytes"`
}

func (u usage) since(before usage, seconds float64) *Usage {
	cpu := u.cpu - before.cpu
	return &Usage{CPUSeconds: cpu, UserSeconds: u.user - before.user, CPUShare: cpu / seconds, ResidentBytes: u.memory}
}

// meter brackets what a phase cost the server and the generator.
type meter struct {
	pids              []int
	at                int64
	server, generator usage
	stopped           bool
}

func startMeter(pids []int) *meter {
	m := &meter{pids: pids, at: clock()}
	m.server, _ = readUsage(m.pids)
	m.generator, _ = readUsage([]int{os.Getpid()})
	return m
}

// stop enters the cost into the phase; only the first call counts, so a phase may stop early.
func (m *meter) stop(p *Phase) {
	if m.stopped {
		return
	}
	m.stopped = true
	seconds := float64(clock()-m.at) / 1e9
	if now, err := readUsage([]int{os.Getpid()}); err == nil {
		p.Generator = now.since(m.generator, seconds)
	}
	if now, err := readUsage(m.pids); err == nil && len(m.pids) > 0 {
		p.Server = now.since(m.server, seconds)
	}
}

// parsePIDs reads the -pid list and makes sure that each process can be measured.
func parsePIDs(list string) ([]int, error) {
	var pids []int
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		pid, err := strconv.Atoi(word)
		if err != nil || pid < 1 {
			return nil, fmt.Errorf("-pid %q is no process id; pass those of the server, like -pid 4711 or -pid 4711,4712", word)
		}
		if _, err := readUsage([]int{pid}); err != nil {
			return nil, fmt.Errorf("-pid %d cannot be measured (%w); it must run on this Linux machine under your user", pid, err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// readUsage adds up what the given processes have used.
func readUsage(pids []int) (usage, error) {
	var sum usage
	for _, pid := range pids {
		cpu, user, err := cpuTime(pid)
		if err != nil {
			return usage{}, err
		}
		memory, err := residentBytes(pid)
		if err != nil {
			return usage{}, err
		}
		sum = usage{sum.cpu + cpu, sum.user + user, sum.memory + memory}
	}
	return sum, nil
}

// residentBytes reads the exact figure where the kernel gives it, for the cheap one may be off by
// a few hundred kilobytes: a tenth of what a thousand subscribers take.
func residentBytes(pid int) (int64, error) {
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err == nil {
		_, after, _ := strings.Cut(string(rollup), "\nRss:")
		if fields := strings.Fields(after); len(fields) > 0 {
			kilobytes, err := strconv.ParseInt(fields[0], 10, 64)
			return kilobytes << 10, err
		}
	}
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	var size, resident int64
	_, err = fmt.Sscan(string(statm), &size, &resident)
	return resident * int64(os.Getpagesize()), err
}

// ticks reads utime and stime, in seconds, from the stat file of a process.
func ticks(pid int) (user, system float64, err error) {
	const perSecond = 100 // USER_HZ, the same on every Linux that Go runs on
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The second field is the name in parentheses, which may hold spaces: count from its end.
	_, after, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, 0, fmt.Errorf("read /proc/%d/stat: %d fields", pid, len(fields))
	}
	u, err := strconv.ParseFloat(fields[11], 64)
	if err != nil {
		return 0, 0, err
	}
	s, err := strconv.ParseFloat(fields[12], 64)
	return u / perSecond, s / perSecond, err
}
