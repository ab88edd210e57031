package natslog

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// BenchmarkFollow measures how many events a second one reader of the log takes in, which is what
// bounds an installation whose every node reads everything: from an embedded log, and from a server
// over a loopback connection.
func BenchmarkFollow(b *testing.B) {
	const stored = 100_000
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true, StoreDir: b.TempDir(), DisableJetStreamBanner: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	s.Start()
	defer func() {
		s.Shutdown()
		s.WaitForShutdown()
	}()
	if !s.ReadyForConnections(10 * time.Second) {
		b.Fatal("server is not ready")
	}
	for name, o := range map[string]Options{
		"embedded":  {Dir: b.TempDir(), Fsync: time.Minute, Retain: 1 << 30},
		"elsewhere": {URL: s.ClientURL(), Retain: 1 << 30},
	} {
		b.Run(name, func(b *testing.B) {
			l := opened(b, o)
			state, err := l.State(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			fill(b, l, payload, stored-int(state.Last), 1)
			var took time.Duration
			for b.Loop() {
				began := time.Now()
				for e, err := range l.Follow(b.Context(), 0) {
					if err != nil {
						b.Fatal(err)
					}
					if e.Seq == stored {
						break
					}
				}
				took += time.Since(began)
			}
			b.ReportMetric(float64(stored*b.N)/took.Seconds(), "events/s")
		})
	}
}
