package natslog

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"proofstream/stream"
)

// BenchmarkAppend measures durable posts a second of 16 publishers with unique keys, on one server and on three.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprint("servers=", n), func(b *testing.B) {
			l := opened(b, Options{URL: startCluster(b, n).url(), Replicas: n})
			mustAppend(b, l, "")
			var next atomic.Int64
			b.ResetTimer()
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						if _, _, err := l.Append(b.Context(), "a", stream.Entry{Data: payload, Key: fmt.Sprint(i)}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
		})
	}
}

// cpu returns the processor time that this process, servers included, has used.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse+m.StackInuse) / (1 << 20)
}

// BenchmarkManySites measures what 500 sites cost: to create, in memory, and of processor time while nothing happens, first
// with nobody following, then with a follower of each. The servers are in this process, and are counted.
func BenchmarkManySites(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprint("servers=", n), func(b *testing.B) {
			l := opened(b, Options{URL: startCluster(b, n).url(), Replicas: n})
			run(b, l)
			time.Sleep(5 * time.Second) // what a start costs is not meant
			idle := func(metric string) {
				before, begun := cpu(), time.Now()
				time.Sleep(10 * time.Second)
				b.ReportMetric(100*(cpu()-before).Seconds()/time.Since(begun).Seconds(), metric)
			}
			idle("%cpu-empty")
			before, begun := heap(), time.Now()
			for i := range 500 {
				if _, _, err := l.Append(b.Context(), fmt.Sprint("s", i), stream.Entry{Data: payload}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(time.Since(begun).Seconds()*1000/500, "ms/site")
			time.Sleep(5 * time.Second)
			b.ReportMetric(heap()-before, "MB")
			idle("%cpu-idle")
			ctx, cancel := context.WithCancel(b.Context())
			var wg sync.WaitGroup
			for i := range 500 {
				wg.Go(func() {
					for range l.Follow(ctx, fmt.Sprint("s", i), 1) {
					}
				})
			}
			time.Sleep(15 * time.Second)
			b.ReportMetric(heap()-before, "MB-followed")
			idle("%cpu-followed")
			cancel()
			wg.Wait()
		})
	}
}
