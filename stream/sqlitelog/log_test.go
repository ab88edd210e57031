package sqlitelog

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"proofstream/stream"
	"proofstream/stream/logtest"
)

// running is an open log whose Run runs.
type running struct {
	*Log
	stop func()
}

// run opens a log and runs it until its stop is called or the test ends.
func run(t testing.TB, o Options) *running {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return runLog(t, New(o))
}

func runLog(t testing.TB, l *Log) *running {
	t.Helper()
	r := &running{Log: l}
	stop := start(t, l)
	r.stop = func() {
		r.stop = func() {}
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { r.stop() })
	return r
}

// start opens a log and runs it until the function returned is called, which closes it.
func start(t testing.TB, l *Log) (stop func() error) {
	t.Helper()
	if err := l.Open(t.Context()); err != nil {
		t.Fatalf("open: %v; want a log that starts", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	return func() error {
		cancel()
		return errors.Join(<-done, l.Close())
	}
}

func TestContract(t *testing.T) {
	logtest.Run(t, func(t *testing.T, o logtest.Options) logtest.Fixture {
		opts := Options{Dir: t.TempDir(), Limits: o.Limits}
		l := run(t, opts)
		return logtest.Fixture{Log: l, Reopen: func() stream.Log {
			l.stop()
			l = run(t, opts)
			return l
		}}
	})
}
