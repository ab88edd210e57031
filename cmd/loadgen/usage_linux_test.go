package main

import (
	"math"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestProcessUsage would catch a wrong unit: CPU time must agree with getrusage(2), and resident
// memory must grow by the pages that are touched.
func TestProcessUsage(t *testing.T) {
	before, err := processUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	block, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(block)
	for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); {
		for i := range block {
			block[i]++
		}
	}
	after, err := processUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	var want unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &want); err != nil {
		t.Fatal(err)
	}
	user, system := float64(want.Utime.Nano())/1e9, float64(want.Stime.Nano())/1e9
	if math.Abs(after.cpu-user-system) > 0.1 || math.Abs(after.user-user) > 0.1 {
		t.Errorf("got %.2f s of CPU, %.2f s in user space; want %.2f and %.2f", after.cpu, after.user, user+system, user)
	}
	if grown := after.memory - before.memory; grown < size/2 || grown > 2*size {
		t.Errorf("resident memory grew by %d bytes, want about %d", grown, size)
	}
}
