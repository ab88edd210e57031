package resume

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream"
	"proofstream/stream/sqlitelog"
	"proofstream/stream/waitfor"
)

// Cursors of a part of the log that was lost, by deleting it or by going back to an older copy, get a gap. They
// never lead to an event that has the sequence of a lost one.
func TestLostPartOfTheLogIsAGap(t *testing.T) {
	p := e2e.Start(t, "PROOF_SHUTDOWN_GRACE=1s")
	kept := p.PostMany(t, "kept", 5)
	p.Stop()
	backup := t.TempDir()
	if err := os.CopyFS(backup, os.DirFS(p.Dir)); err != nil {
		t.Fatal(err)
	}
	p = p.Restart()
	lost := p.PostMany(t, "lost", 5)
	p.Stop()
	if err := os.RemoveAll(p.Dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(p.Dir, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}

	p = p.Restart()
	fresh := p.PostMany(t, "new", 7) // with the sequences of the lost ones, and beyond
	all := slices.Concat(kept, fresh)
	for _, from := range lost {
		s := p.Listen(t, "?last_event_id="+from)
		got := s.AwaitEvents(t, "signup", len(all))
		if opening := s.Ready(t).Data; !strings.Contains(opening, `"replay":"gap","reason":"epoch"`) || !slices.Equal(e2e.IDs(got), all) {
			t.Errorf("from the lost %s: got %s and %q, want a gap and %q", from, opening, e2e.IDs(got), all)
		}
		s.Close()
	}
	s := p.Listen(t, "?last_event_id="+kept[2])
	got := s.AwaitEvents(t, "signup", 9)
	if opening := s.Ready(t).Data; !strings.Contains(opening, `"replay":"complete"`) || !slices.Equal(e2e.IDs(got), all[3:]) {
		t.Errorf("from the kept %s: got %s and %q", kept[2], opening, e2e.IDs(got))
	}
	for _, id := range lost {
		if slices.Contains(all, id) {
			t.Errorf("the id %s was given twice", id)
		}
	}

	p.Stop()
	if err := os.RemoveAll(p.Dir); err != nil {
		t.Fatal(err)
	}
	p = p.Restart()
	first := p.Post(t, "user_name=first of a new log")
	for _, from := range all {
		s := p.Listen(t, "?last_event_id="+from)
		if got := s.AwaitEvents(t, "signup", 1)[0].ID; got != first || !strings.Contains(s.Ready(t).Data, `"reason":"epoch"`) {
			t.Errorf("from %s of the deleted log: got %s and %s", from, s.Ready(t).Data, got)
		}
		s.Close()
	}
}

// What a resuming browser waits for does not grow with the log: with PROOF_TEST_LONG=1, and without -race, the 99th
// percentile of the time to the first event with a million events stored is at most twice that with few, both of what is
// in memory and of what has to be read from the log. The two take turns, and the medians of the rounds count. The ordinary
// suite compares medians with 15,000 events, and leaves a busy machine some time.
func TestResumeDoesNotGetSlowerWithTheLog(t *testing.T) {
	e2e.Slow(t)
	many := openHistory(t, e2e.Scaled(15_000, 1_000_000))
	for _, c := range []struct {
		name        string
		few, missed int
	}{
		{"in memory", 1000, 20},
		{"from the log", 3000, 2000}, // the newest 1,024 are in memory
	} {
		t.Run(c.name, func(t *testing.T) {
			few := openHistory(t, c.few)
			var medians, tails [2][]time.Duration
			for range e2e.Scaled(3, 15) {
				for i, h := range []history{few, many} {
					took := h.resumes(t, c.missed, e2e.Scaled(30, 200))
					medians[i], tails[i] = append(medians[i], took[len(took)/2]), append(tails[i], took[len(took)*99/100])
				}
			}
			m, p99 := [2]time.Duration{middle(medians[0]), middle(medians[1])}, [2]time.Duration{middle(tails[0]), middle(tails[1])}
			t.Logf("first of %d missed: median %v, p99 %v with %d events; median %v, p99 %v with %d",
				c.missed, m[0], p99[0], few.events, m[1], p99[1], many.events)
			if e2e.Long && p99[1] > 2*p99[0] {
				t.Errorf("p99 is %v, with a short log %v", p99[1], p99[0])
			}
			if m[1] > 2*m[0]+50*time.Millisecond {
				t.Errorf("the median is %v, with a short log %v", m[1], m[0])
			}
		})
	}
}

// history is a program with a number of events in its log.
type history struct {
	p      *e2e.Program
	events int
	last   stream.ID
}

func openHistory(t *testing.T, events int) history {
	t.Helper()
	dir := t.TempDir()
	last := fillLog(t, dir, events)
	return history{e2e.Start(t, "PROOF_DATA_DIR="+dir, "PROOF_RETAIN=1000000"), events, last}
}

// resumes opens streams, one after the other, that have missed a number of events, and returns, sorted, how long the first event
// of each took.
func (h history) resumes(t *testing.T, missed, n int) (took []time.Duration) {
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
	begun := make(chan int, 256) // on their way at once
	results := make(chan error)
	for range cap(begun) {
		go func() { results <- appendAll(ctx, log, begun) }()
	}
	for i := range n {
		begun <- i
	}
	close(begun)
	for range cap(begun) {
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

func appendAll(ctx context.Context, log stream.Log, begun <-chan int) (err error) {
	for i := range begun {
		data := fmt.Appendf(nil, `{"img_path":"default","offer_name":"Spring Sale","user_name":"Visitor %d"}`, i)
		if _, _, e := log.Append(ctx, "default", stream.Entry{Data: data}); e != nil {
			err = e // go on: the sender must not wait for ever
		}
	}
	return err
}

// All subscribers of a busy service reconnect at the same moment, each with a cursor: all catch up, in seconds, and
// posts go on meanwhile. 10,000 with PROOF_TEST_LONG=1.
func TestReconnectStorm(t *testing.T) {
	e2e.Slow(t)
	n := e2e.Scaled(500, 10_000)
	e2e.NeedDescriptors(t, n+500)
	p := e2e.Start(t)
	first := p.Listen(t, "").Ready(t).ID
	want := p.Burst(t, 100)
	live := e2e.StartLoad(t, p.Server, 0, 1, 10*time.Millisecond)
	began := time.Now()
	c := e2e.OpenReaders(t, p.Server, n, "?last_event_id="+first)
	c.Await(t, len(want), time.Duration(e2e.Scaled(30, 120))*time.Second)
	took := time.Since(began)
	live.End()
	want = append(want, live.IDs()...)
	c.Await(t, len(want), 2*waitfor.Patience)
	c.Audit(t, want)
	worst := live.LongestStall()
	t.Logf("%d reconnected with a hundred missed each: all had caught up after %v; the longest time without a stored post was %v", n, took, worst)
	if worst > 10*time.Second {
		t.Errorf("no post was stored for %v", worst)
	}
}
