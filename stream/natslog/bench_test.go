package natslog

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/stream"
)

// payload is an event of the usual size.
var payload = []byte(`{"img_path":"default","offer_name":"Spring Sale","user_name":"Ada Lovelace","at":"2026-11-21T20:02:14.501Z"}`)

const publishers = 16

// rate has publishers do something at once for a while, and returns how often a second they did.
func rate(b *testing.B, d time.Duration, do func(ctx context.Context) error) float64 {
	var n atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for range publishers {
		wg.Go(func() {
			for time.Since(begin) < d {
				if err := do(b.Context()); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(begin).Seconds()
}

// allocations counts what the process allocates between begin and end, several times.
type allocations struct{ objects, bytes uint64 }

func (a *allocations) begin() { a.add(-1) }
func (a *allocations) end()   { a.add(1) }

func (a *allocations) add(sign int) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	a.objects += uint64(sign) * m.Mallocs
	a.bytes += uint64(sign) * m.TotalAlloc
}

// BenchmarkAppend measures posts a second of 16 publishers beside bare JetStream, in turns on two
// equal servers, so that a machine that drifts drifts for both. "ratio" is ours over bare. What is
// allocated for a post, by ours, is JetStream's part too.
func BenchmarkAppend(b *testing.B) {
	for _, fsync := range []time.Duration{0, time.Second} {
		b.Run(fmt.Sprint("fsync=", fsync), func(b *testing.B) {
			ours, bare := opened(b, Options{Dir: b.TempDir(), Fsync: fsync}), opened(b, Options{Dir: b.TempDir(), Fsync: fsync})
			var o, j float64
			var a allocations
			for b.Loop() {
				a.begin()
				o += rate(b, 500*time.Millisecond, func(ctx context.Context) error {
					_, _, err := ours.Append(ctx, stream.Draft{Site: "default", Data: payload})
					return err
				})
				a.end()
				j += rate(b, 500*time.Millisecond, func(ctx context.Context) error {
					_, err := bare.js.Publish(ctx, "proofstream.default.signup", payload)
					return err
				})
			}
			b.ReportMetric(o/float64(b.N), "posts/s")
			b.ReportMetric(j/float64(b.N), "bare/s")
			b.ReportMetric(o/j, "ratio")
			posts := o / 2 // each loop posts for half a second
			b.ReportMetric(float64(a.objects)/posts, "allocs/post")
			b.ReportMetric(float64(a.bytes)/posts, "B/post")
		})
	}
}

// BenchmarkResume measures what a reader pays who missed 20 events of its site, with a thousand and
// with a million events stored.
func BenchmarkResume(b *testing.B) {
	for _, c := range []struct{ stored, sites int }{{1000, 1}, {1_000_000, 1}, {1000, 10}, {1_000_000, 10}} {
		b.Run(fmt.Sprintf("stored=%d/sites=%d", c.stored, c.sites), func(b *testing.B) {
			l := opened(b, Options{Dir: b.TempDir(), Fsync: time.Minute, Retain: 1 << 30})
			fill(b, l, payload, c.stored, c.sites)
			after := uint64(c.stored - 20*c.sites)
			var took []time.Duration
			for b.Loop() {
				begin := time.Now()
				events, err := l.Read(b.Context(), "s0", after, 64)
				if err != nil || len(events) != 20 {
					b.Fatalf("read %d events, %v; want 20", len(events), err)
				}
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}
