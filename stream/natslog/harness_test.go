package natslog

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"

	"proofstream/stream"
	"proofstream/stream/natslog/natstest"
	"proofstream/stream/waitfor"
)

// opened opens a log that the test's end closes.
func opened(t testing.TB, o Options) *Log {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	l := New(o)
	if err := l.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// run runs a log until the test's end.
func run(t testing.TB, l *Log) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

var payload = []byte(`{"img_path":"default","offer_name":"Spring Sale","user_name":"Ada Lovelace"}`)

// mustAppend appends an entry to site a, and returns its sequence.
func mustAppend(t testing.TB, l *Log, key string) uint64 {
	t.Helper()
	id, _, err := l.Append(t.Context(), "a", stream.Entry{Data: payload, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return id.Seq
}

func appendN(t testing.TB, l *Log, n int) {
	t.Helper()
	for range n {
		mustAppend(t, l, "")
	}
}

// logger writes to an output that a test reads.
func logger(o *waitfor.Output) *slog.Logger { return slog.New(slog.NewTextHandler(o, nil)) }

func TestMain(m *testing.M) {
	status := m.Run()
	natstest.Remove()
	os.Exit(status)
}
