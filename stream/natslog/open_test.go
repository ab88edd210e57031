package natslog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/natslog/natstest"
	"proofstream/stream/waitfor"
)

// TestOpenWaitsForACluster would catch a start that fails because NATS starts later, and one that
// cannot be interrupted meanwhile.
func TestOpenWaitsForACluster(t *testing.T) {
	c := natstest.Prepare(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	o := Options{URL: strings.Replace(c.URL(), "//", "//user:Secret@", 1), Logger: slog.New(slog.DiscardHandler)}
	l := New(o)
	if _, _, err := l.Append(t.Context(), "a", stream.Entry{}); !errors.Is(err, stream.ErrUnavailable) || l.Healthy() == nil {
		t.Errorf("append before open: %v, healthy %v", err, l.Healthy())
	}
	if err := l.Open(ctx); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "Secret") {
		t.Errorf("open without a server: %v; want the context's error, and no password", err)
	}
	var logged waitfor.Output
	o.Logger = logger(&logged)
	l = New(o)
	opened := make(chan error, 1)
	go func() { opened <- l.Open(t.Context()) }()
	waitfor.Fact(t, "the log waits", func() bool { return strings.Contains(logged.String(), "waiting") })
	c.Servers[0].Start()
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	if strings.Contains(logged.String(), "Secret") {
		t.Errorf("log lines: %s; want no password", &logged)
	}
	appendN(t, l, 1)
	l.Close()
	if _, _, err := l.Append(t.Context(), "a", stream.Entry{}); !errors.Is(err, stream.ErrUnavailable) || l.Healthy() == nil {
		t.Errorf("append to a closed log: %v, healthy %v", err, l.Healthy())
	}
}

// TestRacingCreators would catch nodes that disagree about the epochs of a site that all used first.
func TestRacingCreators(t *testing.T) {
	eachCluster(t, func(t *testing.T, _ *natstest.Cluster, o Options) {
		var logs []*Log
		for range 4 {
			logs = append(logs, opened(t, o))
		}
		epochs := make([]string, len(logs))
		var wg sync.WaitGroup
		for i, l := range logs {
			wg.Go(func() {
				b, err := l.Bounds(t.Context(), "new")
				if err != nil {
					t.Error(err)
				}
				epochs[i] = fmt.Sprint(b.Epochs)
			})
		}
		wg.Wait()
		for _, e := range epochs {
			if e != epochs[0] {
				t.Errorf("epochs %v; want all the same", epochs)
			}
		}
	})
}
