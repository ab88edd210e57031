package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// allocationInterval is the time between two measurements of what the process allocates.
	allocationInterval = 250 * time.Millisecond

	// burstBytes is the allocation in one interval that counts as a burst, such as a thousand new streams.
	burstBytes = 8 << 20

	// calmIntervals is how many intervals without a burst end it: one second.
	calmIntervals = 4
)

// releaseMemory returns unused memory to the operating system after each burst of allocations, the start included, until
// ctx ends. The runtime alone does so only after its next garbage collection, which an idle process runs every two
// minutes.
func releaseMemory(ctx context.Context) error {
	tick := time.NewTicker(allocationInterval)
	defer tick.Stop()
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var last uint64
	var burst burstDetector
	for {
		metrics.Read(sample)
		total := sample[0].Value.Uint64()
		if burst.ended(total - last) {
			debug.FreeOSMemory()
		}
		last = total
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// burstDetector detects the end of a burst of allocations. The zero value is in a burst, as a process is at its start.
type burstDetector struct {
	calm int // intervals since the burst
}

// ended takes the bytes allocated in an interval, and reports whether a burst ended with it.
func (d *burstDetector) ended(allocated uint64) bool {
	if allocated >= burstBytes {
		d.calm = 0
		return false
	}
	d.calm++
	return d.calm == calmIntervals
}
