package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/natslog"
)

// Positions of a part of the log that was lost, by deleting it or by going back to an older copy, are told a gap. They
// never lead to an event that took the place of a lost one.
func TestLostPartOfTheLogIsToldAsAGap(t *testing.T) {
	p := start(t, "PROOF_SHUTDOWN_GRACE=1s")
	kept := p.postMany(t, "kept", 5)
	stop := func() {
		t.Helper()
		p.term()
		if status := p.wait(); status != 0 {
			t.Fatalf("got status %d", status)
		}
	}
	stop()
	backup := t.TempDir()
	if err := os.CopyFS(backup, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	p = p.restart()
	lost := p.postMany(t, "lost", 5)
	stop()
	if err := os.RemoveAll(p.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(p.dir, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}

	p = p.restart()
	fresh := p.postMany(t, "new", 7) // in the places of the lost ones, and beyond
	all := slices.Concat(kept, fresh)
	for _, from := range lost {
		s := p.listen(t, "?last_event_id="+from)
		got := s.awaitEvents(t, "signup", len(all))
		if opening := s.ready(t).data; !strings.Contains(opening, `"replay":"gap","reason":"epoch"`) || !slices.Equal(ids(got), all) {
			t.Errorf("from the lost %s: got %s and %q, want a gap and %q", from, opening, ids(got), all)
		}
		s.close()
	}
	s := p.listen(t, "?last_event_id="+kept[2])
	got := s.awaitEvents(t, "signup", 9)
	if opening := s.ready(t).data; !strings.Contains(opening, `"replay":"complete"`) || !slices.Equal(ids(got), all[3:]) {
		t.Errorf("from the kept %s: got %s and %q", kept[2], opening, ids(got))
	}
	for _, id := range lost {
		if slices.Contains(all, id) {
			t.Errorf("the id %s was given twice", id)
		}
	}

	stop()
	if err := os.RemoveAll(p.dir); err != nil {
		t.Fatal(err)
	}
	p = p.restart()
	first := p.post(t, "user_name=first of a new log")
	for _, from := range all {
		s := p.listen(t, "?last_event_id="+from)
		if got := s.awaitEvents(t, "signup", 1)[0].id; got != first || !strings.Contains(s.ready(t).data, `"reason":"epoch"`) {
			t.Errorf("from %s of the deleted log: got %s and %s", from, s.ready(t).data, got)
		}
		s.close()
	}
}

// What a resuming browser waits for does not grow with the log: 1,000 and 15,000 events, with PROOF_TEST_LONG=1 a million.
func TestResumeDoesNotGetSlowerWithTheLog(t *testing.T) {
	const missed = 20
	median := func(n int) time.Duration {
		dir := t.TempDir()
		from := fillLog(t, dir, n, missed)
		p := start(t, "PROOF_DATA_DIR="+dir, "PROOF_RETAIN=1000000")
		defer p.kill()
		var took []time.Duration
		for range 100 {
			began := time.Now()
			s := p.listen(t, "?last_event_id="+from)
			s.awaitEvents(t, "signup", 1)
			took = append(took, time.Since(began))
			s.awaitEvents(t, "signup", missed)
			s.close()
		}
		slices.Sort(took)
		t.Logf("%d events: first of %d missed after %v (median), %v (p99)", n, missed, took[50], took[99])
		return took[50]
	}
	few, many := median(1000), median(scaled(15_000, 1_000_000))
	if many > 2*few+5*time.Millisecond { // the machine has other work
		t.Errorf("the first event comes after %v, with a short log after %v", many, few)
	}
}

// fillLog stores n events without HTTP and returns the id of the last before the newest few.
func fillLog(t *testing.T, dir string, n, few int) (id string) {
	t.Helper()
	ctx := t.Context()
	log, err := natslog.Open(ctx, natslog.Options{
		Dir: dir, Fsync: time.Hour, Retain: 1_000_000, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	begun := make(chan int, 256) // so many are on their way at once
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
	state, err := log.State(ctx)
	if err != nil || int(state.Events) != n {
		t.Fatalf("got %+v, %v; want %d events", state, err, n)
	}
	return log.Chain().ID(state.Last - uint64(few)).String()
}

func appendAll(ctx context.Context, log stream.Log, begun <-chan int) (err error) {
	for i := range begun {
		data := fmt.Appendf(nil, `{"img_path":"default","offer_name":"Spring Sale","user_name":"Visitor %d","at":"2026-01-01T00:00:00.000Z"}`, i)
		if _, _, e := log.Append(ctx, stream.Draft{Site: "default", Data: data}); e != nil {
			err = e // go on: the sender must not wait for ever
		}
	}
	return err
}

// All subscribers of a busy service come back in the same moment, each with a position: all catch up, in seconds, and
// posts go on meanwhile. 10,000 with PROOF_TEST_LONG=1.
func TestReconnectStorm(t *testing.T) {
	n := scaled(500, 10_000)
	descriptors(t, n+500)
	p := start(t)
	first := p.listen(t, "").ready(t).id
	want := p.burst(t, 100)
	var worst time.Duration
	stop, stopped := make(chan struct{}), make(chan []string)
	go func() {
		var live []string
		for i := 0; ; i++ {
			select {
			case <-stop:
				stopped <- live
				return
			case <-time.After(10 * time.Millisecond):
			}
			began := time.Now()
			id, err := p.tryPost("", fmt.Sprintf("user_name=live %d", i))
			if err != nil {
				t.Error(err)
				continue
			}
			worst = max(worst, time.Since(began))
			live = append(live, id)
		}
	}()
	began := time.Now()
	c := gather(t, p, n, "?last_event_id="+first)
	c.await(t, len(want), time.Duration(scaled(30, 120))*time.Second)
	took := time.Since(began)
	close(stop)
	want = append(want, <-stopped...)
	c.await(t, len(want), 2*patience)
	c.audit(t, want)
	t.Logf("%d came back with a hundred missed each: all had caught up after %v; the slowest post took %v", n, took, worst)
	if worst > 10*time.Second {
		t.Errorf("a post took %v", worst)
	}
}
