package natslog

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
	"proofstream/stream/natslog/natstest"
	"proofstream/stream/waitfor"
)

// TestKeyOutlivesTheWindow would catch a key that is remembered for the duplicates window only.
func TestKeyOutlivesTheWindow(t *testing.T) {
	eachCluster(t, func(t *testing.T, _ *natstest.Cluster, o Options) {
		l := opened(t, o)
		first := mustAppend(t, l, "k")
		cfg := l.opts.settings("a", jetstream.StreamConfig{Metadata: metadata(t, l, "a")})
		s, _ := l.site(t.Context(), "a")
		cfg.Duplicates = 100 * time.Millisecond
		waitfor.Fact(t, "the window is over", func() bool {
			cfg.Duplicates++ // the server may start its timer before it has the new window, and then wait for the old one
			if _, err := l.js.UpdateStream(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			_, err := l.remembered(t.Context(), s, hashKey("k"))
			return errors.Is(err, stream.ErrNotFound)
		})
		id, duplicate, err := l.Append(t.Context(), "a", stream.Entry{Kind: stream.Retract, Data: payload, Key: "k"})
		if err != nil || !duplicate || id.Seq != first {
			t.Errorf("key after the window: %v, duplicate %t, %v; want %d, true", id, duplicate, err, first)
		}
		if id, err := l.Find(t.Context(), "a", "k"); err != nil || id.Seq != first {
			t.Errorf("find: %v, %v; want %d", id, err, first)
		}
	})
}

func metadata(t *testing.T, l *Log, site string) map[string]string {
	t.Helper()
	info, err := l.describe(t.Context(), site, "")
	if err != nil {
		t.Fatal(err)
	}
	return info.Config.Metadata
}

// TestRacingKeys would catch two events with one key.
func TestRacingKeys(t *testing.T) {
	eachCluster(t, func(t *testing.T, _ *natstest.Cluster, o Options) {
		logs := []*Log{opened(t, o), opened(t, o)}
		for round := range 10 {
			var mu sync.Mutex
			ids := map[stream.ID]int{}
			firsts := 0
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					id, duplicate, err := logs[i%2].Append(t.Context(), "a", stream.Entry{Data: payload, Key: fmt.Sprint(round)})
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					if ids[id]++; !duplicate {
						firsts++
					}
				})
			}
			wg.Wait()
			if len(ids) != 1 || firsts != 1 {
				t.Errorf("round %d: ids %v, %d stored; want one", round, ids, firsts)
			}
		}
	})
}
