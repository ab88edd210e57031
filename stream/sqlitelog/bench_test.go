package sqlitelog

import (
	"database/sql/driver"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"proofstream/stream"
)

// payload is an event of a typical size.
var payload = []byte(`{"img_path":"default","offer_name":"Spring Sale","user_name":"Ada Lovelace"}`)

// BenchmarkAppend measures durable appends with a key each, at the retention's limit, beside a bare write and fsync of
// the same bytes, in turns on the same disk: a machine that drifts drifts for both.
func BenchmarkAppend(b *testing.B) {
	for _, publishers := range []int{1, 16} {
		b.Run(fmt.Sprint("publishers=", publishers), func(b *testing.B) {
			l := run(b, Options{Dir: b.TempDir()})
			var ours, bare []time.Duration
			var spent time.Duration
			for b.Loop() {
				begin := time.Now()
				ours = append(ours, measure(b, publishers, 300*time.Millisecond, func(n int) error {
					_, _, err := l.Append(b.Context(), "default", stream.Entry{Data: payload, Key: fmt.Sprint(begin.UnixNano(), "/", n)})
					return err
				})...)
				spent += time.Since(begin)
				bare = append(bare, measure(b, 1, 150*time.Millisecond, bareWrite(b))...)
			}
			b.ReportMetric(float64(len(ours))/spent.Seconds(), "appends/s")
			b.ReportMetric(float64(middle(ours).Nanoseconds())/1e3, "p50-µs")
			b.ReportMetric(float64(middle(bare).Nanoseconds())/1e3, "bare-p50-µs")
			b.ReportMetric(float64(middle(ours))/float64(middle(bare)), "p50-ratio")
		})
	}
}

// BenchmarkLimit compares queries of a few rows, now one more and now one less, with limit and with a parameter directly after LIMIT.
func BenchmarkLimit(b *testing.B) {
	l := run(b, Options{Dir: b.TempDir()})
	for range 50 {
		if _, _, err := l.Append(b.Context(), "default", stream.Entry{Data: payload}); err != nil {
			b.Fatal(err)
		}
	}
	for name, clause := range map[string]string{"limit": limit, "parameter": "LIMIT ?"} {
		b.Run(name, func(b *testing.B) {
			c, err := openConn(l.path, reading)
			if err != nil {
				b.Fatal(err)
			}
			defer c.close()
			nothing := func([]driver.Value) error { return nil }
			for rows := int64(16); b.Loop(); rows ^= 1 {
				if err := c.query("SELECT id, kind, at FROM events WHERE id BETWEEN ? AND ? ORDER BY id "+clause, nothing, int64(0), int64(1)<<62, rows); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkNewer compares what a follower that keeps up does for each event: to take it from the newest commit, or to read it from the database.
func BenchmarkNewer(b *testing.B) {
	l := run(b, Options{Dir: b.TempDir()})
	id, _, err := l.Append(b.Context(), "default", stream.Entry{Data: payload})
	if err != nil {
		b.Fatal(err)
	}
	newest, err := l.site(b.Context(), "default")
	if err != nil {
		b.Fatal(err)
	}
	read := *newest
	read.appended = nil
	for name, s := range map[string]*site{"memory": newest, "database": &read} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if events, _, err := l.newer(b.Context(), "default", s, id.Seq-1); err != nil || len(events) != 1 {
					b.Fatalf("got %d events, %v", len(events), err)
				}
			}
		})
	}
}

// measure has publishers do something for a while, and returns how long each of it took.
func measure(b *testing.B, publishers int, d time.Duration, do func(n int) error) (took []time.Duration) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for p := range publishers {
		wg.Go(func() {
			var mine []time.Duration
			for n := p; time.Now().Before(end); n += publishers {
				begin := time.Now()
				if err := do(n); err != nil {
					b.Error(err)
					return
				}
				mine = append(mine, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	wg.Wait()
	return took
}

func middle(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)/2]
}

func bareWrite(b *testing.B) func(int) error {
	f, err := os.OpenFile(filepath.Join(b.TempDir(), "bare"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return func(int) error {
		if _, err := f.Write(payload); err != nil {
			return err
		}
		return f.Sync()
	}
}
