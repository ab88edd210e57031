package natslog

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/logtest"
)

// opened opens a log that the test's end closes.
func opened(t testing.TB, o Options) *Log {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	l, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestContractEmbedded(t *testing.T) {
	logtest.Run(t, func(t *testing.T) logtest.Fixture {
		o := Options{Dir: t.TempDir()}
		l := opened(t, o)
		return logtest.Fixture{Log: l, Reopen: func() stream.Log {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = opened(t, o)
			return l
		}}
	})
}

// TestClosedLogStaysClosed would catch a server that is started again behind a Close.
func TestClosedLogStaysClosed(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, Options{Dir: dir})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Append(t.Context(), stream.Draft{Site: "a", Data: payload}); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("append to a closed log: %v, want ErrUnavailable", err)
	}
	if _, err := l.Read(t.Context(), "a", 0, 1); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("read of a closed log: %v, want ErrUnavailable", err)
	}
	if l.Healthy() == nil {
		t.Error("a closed log is called healthy")
	}
	if err := l.Run(t.Context()); err != nil { // returns by itself
		t.Error(err)
	}
	opened(t, Options{Dir: dir})
}

// run has the log tended until the test's end.
func run(t *testing.T, l *Log) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// watch is what a follower has seen.
type watch struct {
	mu   sync.Mutex
	seen map[uint64]string
}

func (w *watch) has(all map[uint64]string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for seq, text := range all {
		if w.seen[seq] != text {
			return false
		}
	}
	return true
}

// following follows a log until the test's end, each event once and in order.
func following(t *testing.T, l *Log) *watch {
	w := &watch{seen: map[uint64]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		last := uint64(0)
		for e, err := range l.Follow(ctx, 0) {
			if err != nil {
				t.Errorf("follow: %v", err)
				return
			}
			if e.Seq <= last {
				t.Errorf("followed %d after %d", e.Seq, last)
			}
			last = e.Seq
			w.mu.Lock()
			w.seen[e.Seq] = string(e.Data)
			w.mu.Unlock()
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return w
}

// until waits for a fact.
func until(t *testing.T, fact string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", fact)
		}
	}
}
