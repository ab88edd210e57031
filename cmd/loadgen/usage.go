package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// usage is what a set of processes has used until now.
type usage struct {
	cpu    float64 // seconds, user and system
	user   float64 // seconds in user space, in steps of 10 ms
	memory int64   // resident bytes
}

// Usage is what processes used during a phase.
type Usage struct {
	CPUSeconds    float64 `json:"cpu_seconds"`
	UserSeconds   float64 `json:"user_seconds"`
	CPUShare      float64 `json:"cpu_share"` // of one core
	MicrosPerUnit float64 `json:"cpu_us_per_delivery,omitempty"`
	ResidentBytes int64   `json:"resident_bytes"` // at the end of the phase
}

func (u usage) since(before usage, seconds float64) *Usage {
	cpu := u.cpu - before.cpu
	return &Usage{CPUSeconds: cpu, UserSeconds: u.user - before.user, CPUShare: cpu / seconds, ResidentBytes: u.memory}
}

// meter measures what a phase costs the server and the generator.
type meter struct {
	pids              []int
	start             int64 // clock time
	server, generator usage // at start
	stopped           bool
}

func startMeter(pids []int) *meter {
	m := &meter{pids: pids, start: clock()}
	m.server, _ = readUsage(m.pids)
	m.generator, _ = readUsage([]int{os.Getpid()})
	return m
}

// stop records the cost since start in p. Only the first call counts, so a phase may stop early.
func (m *meter) stop(p *Phase) {
	if m.stopped {
		return
	}
	m.stopped = true
	elapsed := seconds(m.start, clock())
	if now, err := readUsage([]int{os.Getpid()}); err == nil {
		p.Generator = now.since(m.generator, elapsed)
	}
	if now, err := readUsage(m.pids); err == nil && len(m.pids) > 0 {
		p.Server = now.since(m.server, elapsed)
	}
}

// parsePIDs parses the value of -pid and checks that each process can be measured.
func parsePIDs(list string) ([]int, error) {
	var pids []int
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		pid, err := strconv.Atoi(word)
		if err != nil || pid < 1 {
			return nil, fmt.Errorf("-pid %q is not a process id; pass those of the server, like -pid 4711 or -pid 4711,4712", word)
		}
		if _, err := processUsage(pid); err != nil {
			return nil, fmt.Errorf("measure -pid %d: %w; it must run on this Linux machine under your user", pid, err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// readUsage returns the sum over the given processes.
func readUsage(pids []int) (usage, error) {
	var sum usage
	for _, pid := range pids {
		u, err := processUsage(pid)
		if err != nil {
			return usage{}, err
		}
		sum = usage{sum.cpu + u.cpu, sum.user + u.user, sum.memory + u.memory}
	}
	return sum, nil
}
