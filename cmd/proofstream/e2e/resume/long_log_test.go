package resume

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream"
	"proofstream/stream/sqlitelog"
)

// The time from a resume to its first event does not grow with the log. Its 99th percentile
// with a million stored events is at most twice that with few, both for events in the replay buffer and for events that are read from
// the log. Rounds with the long and the short log alternate, and the medians of the rounds are compared. It must run without -race.
func TestResumeDoesNotGetSlowerWithTheLog(t *testing.T) {
	e2e.Strong(t)
	many := startWithEvents(t, 1_000_000)
	for _, c := range []struct {
		name        string
		few, missed int
	}{
		{"from the replay buffer", 1000, 20},
		{"from the log", 3000, 2000}, // the replay buffer has the newest 1,024
	} {
		t.Run(c.name, func(t *testing.T) {
			few := startWithEvents(t, c.few)
			var medians, tails [2][]time.Duration
			for range 15 {
				for i, h := range []storedLog{few, many} {
					took := h.resumes(t, c.missed, 200)
					medians[i], tails[i] = append(medians[i], took[len(took)/2]), append(tails[i], took[len(took)*99/100])
				}
			}
			m, p99 := [2]time.Duration{middle(medians[0]), middle(medians[1])}, [2]time.Duration{middle(tails[0]), middle(tails[1])}
			t.Logf("first of %d missed: median %v, p99 %v with %d events; median %v, p99 %v with %d",
				c.missed, m[0], p99[0], few.events, m[1], p99[1], many.events)
			if p99[1] > 2*p99[0] {
				t.Errorf("p99 is %v, with a short log %v", p99[1], p99[0])
			}
			if m[1] > 2*m[0]+50*time.Millisecond {
				t.Errorf("the median is %v, with a short log %v", m[1], m[0])
			}
		})
	}
}

// storedLog is a program with a number of events in its log.
type storedLog struct {
	p      *e2e.Program
	events int
	last   stream.ID
}

// startWithEvents starts a program whose log has a number of events.
func startWithEvents(t *testing.T, events int) storedLog {
	t.Helper()
	dir := t.TempDir()
	last := fillLog(t, dir, events)
	return storedLog{e2e.Start(t, "PROOF_DATA_DIR="+dir, "PROOF_RETAIN=1000000"), events, last}
}

// resumes opens n streams, one after the other, with a cursor missed events before the newest. It returns, sorted, the time to the
// first event of each.
func (h storedLog) resumes(t *testing.T, missed, n int) (took []time.Duration) {
	t.Helper()
	from := stream.ID{Epoch: h.last.Epoch, Seq: h.last.Seq - uint64(missed)}
	for range n {
		began := time.Now()
		s := h.p.Listen(t, "?last_event_id="+from.String())
		first := s.AwaitEvents(t, "signup", 1)[0]
		took = append(took, first.At.Sub(began))
		s.Close()
		if e2e.Sequence(first.ID) != int(from.Seq)+1 {
			t.Fatalf("got %s first, after %s", first.ID, from)
		}
	}
	slices.Sort(took)
	return took
}

// middle returns the median of durations, and sorts them.
func middle(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}

// fillLog stores n events without HTTP and returns the id of the last.
func fillLog(t *testing.T, dir string, n int) stream.ID {
	t.Helper()
	ctx := t.Context()
	log := sqlitelog.New(sqlitelog.Options{
		Dir: dir, Limits: stream.Limits{Events: 1_000_000, Age: time.Hour}, Logger: slog.New(slog.DiscardHandler),
	})
	if err := log.Open(ctx); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	ran := make(chan error)
	go func() { ran <- log.Run(running) }()
	defer func() {
		stop()
		<-ran
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}()
	numbers := make(chan int, 256) // as many appends at once share a commit
	results := make(chan error)
	for range cap(numbers) {
		go func() { results <- appendAll(ctx, log, numbers) }()
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	for range cap(numbers) {
		if err := <-results; err != nil {
			t.Fatal(err)
		}
	}
	b, err := log.Bounds(ctx, "default")
	if err != nil || b.Signups != n {
		t.Fatalf("got %+v, %v; want %d events", b, err, n)
	}
	return b.Epochs.ID(b.High)
}

// appendAll appends a signup for each number until the channel is closed, and returns the last error.
func appendAll(ctx context.Context, log stream.Log, numbers <-chan int) (err error) {
	for i := range numbers {
		data := fmt.Appendf(nil, `{"img_path":"default","offer_name":"Spring Sale","user_name":"Visitor %d"}`, i)
		if _, _, e := log.Append(ctx, "default", stream.Entry{Data: data}); e != nil {
			err = e // go on: the sender must not block
		}
	}
	return err
}
