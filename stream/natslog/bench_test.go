package natslog

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

var payload = []byte(`{"img_path":"default","offer_name":"Spring Sale","user_name":"Ada Lovelace","at":"2026-11-21T20:02:14.501Z"}`)

const publishers = 16

// rate has publishers do something at once for a while, and returns how often a second they did.
func rate(b testing.TB, d time.Duration, do func(ctx context.Context, n int64) error) float64 {
	var n atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for range publishers {
		wg.Go(func() {
			for time.Since(begin) < d {
				if err := do(b.Context(), n.Add(1)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(begin).Seconds()
}

// BenchmarkAppend measures posts a second of 16 publishers beside JetStream bare, in turns on two
// equal servers, so that a machine that drifts drifts for both.
func BenchmarkAppend(b *testing.B) {
	for name, fsync := range map[string]time.Duration{"always": 0, "1s": time.Second} {
		b.Run(name, func(b *testing.B) {
			ours, bare := opened(b, Options{Dir: b.TempDir(), Fsync: fsync}), opened(b, Options{Dir: b.TempDir(), Fsync: fsync})
			var a, j float64
			for b.Loop() {
				a += rate(b, 500*time.Millisecond, func(ctx context.Context, n int64) error {
					_, _, err := ours.Append(ctx, stream.Draft{Site: "default", Data: payload})
					return err
				})
				j += rate(b, 500*time.Millisecond, func(ctx context.Context, n int64) error {
					_, err := bare.js.Publish(ctx, "proofstream.default.signup", payload)
					return err
				})
			}
			b.ReportMetric(a/float64(b.N), "posts/s")
			b.ReportMetric(j/float64(b.N), "bare/s")
			b.ReportMetric(a/j, "ratio")
		})
	}
}

var _ = fmt.Sprint
var _ jetstream.JetStream
