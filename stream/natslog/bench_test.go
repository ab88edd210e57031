package natslog

import (
	"os"

	"github.com/prometheus/procfs"

	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/natslog/natstest"
)

// BenchmarkAppend measures durable posts a second of 16 publishers with unique keys, on one server and on three.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprint("servers=", n), func(b *testing.B) {
			l := opened(b, Options{URL: natstest.Start(b, n).URL(), Replicas: n})
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

// usage is what this process and the servers of a cluster have used: processor time in seconds, and memory now in MB.
func usage(b *testing.B, c *natstest.Cluster) (cpu, memory float64) {
	b.Helper()
	pids := []int{os.Getpid()}
	for _, s := range c.Servers {
		pids = append(pids, s.PID())
	}
	for _, pid := range pids {
		p, err := procfs.NewProc(pid)
		if err != nil {
			b.Fatal(err)
		}
		stat, err := p.Stat()
		if err != nil {
			b.Fatal(err)
		}
		cpu, memory = cpu+stat.CPUTime(), memory+float64(stat.ResidentMemory())/(1<<20)
	}
	return cpu, memory
}

// BenchmarkManySites measures what 500 sites cost: to create, in memory, and of processor time while nothing happens, first
// without followers, then with a follower of each. The servers are counted.
func BenchmarkManySites(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprint("servers=", n), func(b *testing.B) { manySites(b, natstest.Start(b, n)) })
	}
}

func manySites(b *testing.B, c *natstest.Cluster) {
	l := opened(b, Options{URL: c.URL(), Replicas: len(c.Servers)})
	run(b, l)
	time.Sleep(5 * time.Second) // what a start costs is not meant
	idle := func(metric string) {
		before, _ := usage(b, c)
		time.Sleep(10 * time.Second)
		after, _ := usage(b, c)
		b.ReportMetric(100*(after-before)/10, metric)
	}
	idle("%cpu-empty")
	started := time.Now()
	_, before := usage(b, c)
	grown := func(metric string) {
		_, now := usage(b, c)
		b.ReportMetric(now-before, metric)
	}
	for i := range 500 {
		if _, _, err := l.Append(b.Context(), fmt.Sprint("s", i), stream.Entry{Data: payload}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(time.Since(started).Seconds()*1000/500, "ms/site")
	time.Sleep(5 * time.Second)
	grown("MB")
	idle("%cpu-idle")
	ctx, cancel := context.WithCancel(b.Context())
	var following sync.WaitGroup
	for i := range 500 {
		following.Go(func() {
			for range l.Follow(ctx, fmt.Sprint("s", i), 1) {
			}
		})
	}
	time.Sleep(15 * time.Second)
	grown("MB-followed")
	idle("%cpu-followed")
	cancel()
	following.Wait()
}
