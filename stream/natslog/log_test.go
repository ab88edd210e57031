package natslog

import (
	"log/slog"
	"testing"

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
