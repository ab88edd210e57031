package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What a connection leaves behind when it is taken over should not stay for long, so garbage may grow
// to half of what is in use; the runtime's own default is all of it. But while little is in use, a busy
// publisher would then have the collector run dozens of times a second, and thousands who connect at
// once would have it look at all of them again and again. So while much is allocated, garbage may grow
// to what a short time brings, within bounds; when the rush is over, what it left is given back.
const (
	leastGarbage = 50       // percent of what is in use
	rush         = 32 << 20 // bytes a second
	rushGarbage  = 300 * time.Millisecond
	mostGarbage  = 64 << 20 // bytes
	garbageLook  = 100 * time.Millisecond
	calmLooks    = 10 // without a rush, until it is over
)

// spareMemory lets little garbage grow from the start on, and says whether it is ours to decide: a
// GOGC in the environment wins.
func spareMemory() bool {
	if os.Getenv("GOGC") != "" {
		return false
	}
	debug.SetGCPercent(leastGarbage)
	return true
}

// paceGarbage sets how much garbage may grow until ctx ends.
func paceGarbage(ctx context.Context) error {
	if !spareMemory() {
		return nil
	}
	look := time.NewTicker(garbageLook)
	defer look.Stop()
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	p := garbagePace{percent: leastGarbage, looks: calmLooks} // the start was a rush
	for {
		before := samples[0].Value.Uint64()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
		metrics.Read(samples)
		was := p
		p = p.after(samples[0].Value.Uint64()-before, samples[1].Value.Uint64())
		if p.percent != was.percent {
			debug.SetGCPercent(p.percent)
		}
		if p.looks == 0 && was.looks > 0 {
			debug.FreeOSMemory()
		}
	}
}

// garbagePace is how much garbage may grow now.
type garbagePace struct {
	percent int // of what is in use
	looks   int // that are left until a rush is over
}

// after returns the pace when so many bytes were allocated since the last look. Setting one stops
// everything for a moment, so it changes only for a difference that matters.
func (p garbagePace) after(allocated, inUse uint64) garbagePace {
	if allocated < rush/uint64(time.Second/garbageLook) {
		if p.looks = max(0, p.looks-1); p.looks == 0 {
			p.percent = leastGarbage
		}
		return p
	}
	p.looks = calmLooks
	garbage := min(allocated*uint64(rushGarbage/garbageLook), mostGarbage)
	want := max(leastGarbage, int(100*garbage/max(inUse, 1<<20)))
	if want > p.percent*4/3 || want < p.percent*3/4 {
		p.percent = want
	}
	return p
}
