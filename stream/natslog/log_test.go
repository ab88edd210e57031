package natslog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
	"proofstream/stream/logtest"
)

// eachCluster runs a test with streams of one and of three copies: JetStream has different code for them.
func eachCluster(t *testing.T, test func(t *testing.T, c *cluster, o Options)) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d servers", n), func(t *testing.T) {
			c := startCluster(t, n)
			test(t, c, Options{URL: c.url(), Replicas: n})
		})
	}
}

// pair is a log in use on two nodes: one writes, the other does the rest.
type pair struct {
	*Log
	writer *Log
}

func (p pair) Append(ctx context.Context, site string, e stream.Entry) (stream.ID, bool, error) {
	return p.writer.Append(ctx, site, e)
}

func (p pair) Erase(ctx context.Context, site string, seq uint64) error {
	return p.writer.Erase(ctx, site, seq)
}

// TestContract holds the log to its contract, on two nodes, so that one would be caught that believes its own memory
// or a replica that lags.
func TestContract(t *testing.T) {
	eachCluster(t, func(t *testing.T, _ *cluster, o Options) {
		n := 0
		logtest.Run(t, func(t *testing.T, lo logtest.Options) logtest.Fixture {
			n++
			o := o
			o.Stream, o.Limits = fmt.Sprint("proof", n), lo.Limits
			open := func() pair {
				p := pair{opened(t, o), opened(t, o)}
				run(t, p.Log)
				return p
			}
			p := open()
			return logtest.Fixture{Log: p, Reopen: func() stream.Log {
				p.Close()
				p.writer.Close()
				p = open()
				return p
			}}
		})
	})
}

// TestKeys would catch a key that is forgotten while its event is kept, or for an hour after its erasure, that is
// remembered for one kind of event only, or a Find that knows less than Append.
func TestKeys(t *testing.T) {
	eachCluster(t, func(t *testing.T, _ *cluster, o Options) {
		l := opened(t, o)
		kept, erased := mustAppend(t, l, "kept"), mustAppend(t, l, "erased")
		if err := l.Erase(t.Context(), "a", erased); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]uint64{"kept": kept, "erased": erased} {
			for _, kind := range []stream.Kind{stream.Announce, stream.Retract} {
				id, duplicate, err := l.Append(t.Context(), "a", stream.Entry{Kind: kind, Data: payload, Key: key})
				if err != nil || !duplicate || id.Seq != want {
					t.Errorf("%s again: %v, duplicate %t, %v; want %d, true", key, id, duplicate, err, want)
				}
			}
			if id, err := l.Find(t.Context(), "a", key); err != nil || id.Seq != want {
				t.Errorf("find %s: %v, %v; want %d", key, id, err, want)
			}
		}
		for range 2 { // asking must not make the key known
			if id, err := l.Find(t.Context(), "a", "never"); !errors.Is(err, stream.ErrNotFound) {
				t.Errorf("find of what never was: %v, %v", id, err)
			}
		}
		if seq := mustAppend(t, l, "never"); seq != 3 {
			t.Errorf("append after find: %d; want 3", seq)
		}
	})
}

// TestKeyOutlivesTheWindow would catch a key that is remembered for the duplicates window only.
func TestKeyOutlivesTheWindow(t *testing.T) {
	eachCluster(t, func(t *testing.T, _ *cluster, o Options) {
		l := opened(t, o)
		first := mustAppend(t, l, "k")
		cfg := l.opts.settings("a", jetstream.StreamConfig{Metadata: metadata(t, l, "a")})
		cfg.Duplicates = 100 * time.Millisecond
		if _, err := l.js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		s, _ := l.site(t.Context(), "a")
		until(t, "the window is over", func() bool {
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
	info, err := l.inform(t.Context(), site, "")
	if err != nil {
		t.Fatal(err)
	}
	return info.Config.Metadata
}

// TestRacingKeys would catch two events with one key.
func TestRacingKeys(t *testing.T) {
	eachCluster(t, func(t *testing.T, _ *cluster, o Options) {
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

// TestRacingCreators would catch nodes that disagree about the epochs of a site that all used first.
func TestRacingCreators(t *testing.T) {
	eachCluster(t, func(t *testing.T, _ *cluster, o Options) {
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

// TestErasedBytesAreGone would catch an erasure that leaves the visitor's name or key in the server's files.
func TestErasedBytesAreGone(t *testing.T) {
	c := startCluster(t, 1)
	l := opened(t, Options{URL: c.url()})
	id, _, err := l.Append(t.Context(), "a", stream.Entry{Data: []byte("Canary-data"), Key: "Canary-key"})
	if err != nil {
		t.Fatal(err)
	}
	appendN(t, l, 1)
	holds := func() (found bool) {
		err := filepath.WalkDir(c.opts[0].StoreDir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			found = found || bytes.Contains(b, []byte("Canary"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	until(t, "the event is in a file", holds)
	for range 2 {
		if err := l.Erase(t.Context(), "a", id.Seq); err != nil {
			t.Fatal(err)
		}
	}
	if holds() {
		t.Error("the event is in a file after its erasure")
	}
}

// TestOpenWaitsForACluster would catch a start that fails because NATS starts later, and one that
// cannot be interrupted meanwhile.
func TestOpenWaitsForACluster(t *testing.T) {
	c := startCluster(t, 1)
	c.stop(0)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	o := Options{URL: strings.Replace(c.url(), "//", "//user:Secret@", 1), Logger: slog.New(slog.DiscardHandler)}
	l := New(o)
	if _, _, err := l.Append(t.Context(), "a", stream.Entry{}); !errors.Is(err, stream.ErrUnavailable) || l.Healthy() == nil {
		t.Errorf("append before open: %v, healthy %v", err, l.Healthy())
	}
	if err := l.Open(ctx); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "Secret") {
		t.Errorf("open without a server: %v; want the context's error, and no password", err)
	}
	var told journal
	var restart sync.WaitGroup
	restart.Go(func() {
		time.Sleep(300 * time.Millisecond) // late on purpose: Open is to wait
		c.start(t, 0)
	})
	o.Logger = told.logger()
	l = opened(t, o)
	restart.Wait()
	if !strings.Contains(told.String(), "waiting") || strings.Contains(told.String(), "Secret") {
		t.Errorf("told: %s; want that it waits, and no password", &told)
	}
	appendN(t, l, 1)
	l.Close()
	if _, _, err := l.Append(t.Context(), "a", stream.Entry{}); !errors.Is(err, stream.ErrUnavailable) || l.Healthy() == nil {
		t.Errorf("append to a closed log: %v, healthy %v", err, l.Healthy())
	}
}

// TestSettingsStay would catch one node that rewrites a stream for all, that reports its own limits instead of
// the stream's, or an update that makes cursors invalid.
func TestSettingsStay(t *testing.T) {
	c := startCluster(t, 1)
	o := Options{URL: c.url(), Limits: stream.Limits{Events: 10, Age: time.Hour}, Sites: []string{"a", "none"}}
	first := opened(t, o)
	appendN(t, first, 5)
	before, _ := first.Bounds(t.Context(), "a")
	var told journal
	o.Limits.Events, o.Logger = 20, told.logger()
	other := opened(t, o)
	b, err := other.Bounds(t.Context(), "a")
	if err != nil || b.Limits.Events != 10 || !strings.Contains(told.String(), "messages is 10, not 20") {
		t.Errorf("limits %+v, %v; want 10 still; told: %s", b.Limits, err, &told)
	}
	o.Update = true
	updated := opened(t, o)
	b, err = updated.Bounds(t.Context(), "a")
	if err != nil || b.Limits != o.Limits {
		t.Errorf("limits after the update %+v, %v; want %+v", b.Limits, err, o.Limits)
	}
	if reason, _ := b.Judge(before.Epochs.Cursor(5)); reason != "" || len(b.Epochs) != len(before.Epochs)+1 {
		t.Errorf("epochs %v after %v, cursor is %q; want one more, and the cursor valid", b.Epochs, before.Epochs, reason)
	}
	if _, err := updated.js.Stream(t.Context(), "proofstream-none"); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("stream of an unused site: %v; want none", err)
	}
}

// TestUpdateBesideOthers would catch an update that opens a new epoch while another node goes on to name events by
// the one before.
func TestUpdateBesideOthers(t *testing.T) {
	c := startCluster(t, 1)
	o := Options{URL: c.url(), Sites: []string{"a"}}
	l := opened(t, o)
	appendN(t, l, 1)
	runPresence(t, NewPresence(l, func() map[string]int { return nil }))
	before, _ := l.Bounds(t.Context(), "a")
	o.Update = true
	if after, err := opened(t, o).Bounds(t.Context(), "a"); err != nil || fmt.Sprint(after.Epochs) != fmt.Sprint(before.Epochs) {
		t.Errorf("epochs %v, %v; want %v", after.Epochs, err, before.Epochs)
	}
}

// TestUnfitStream would catch a log that mixes its events with those of somebody else.
func TestUnfitStream(t *testing.T) {
	c := startCluster(t, 1)
	l := opened(t, Options{URL: c.url()})
	for name, subject := range map[string]string{"proofstream-a": "proofstream.a.>", "proofstream-b": "other.>"} {
		if _, err := l.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}}); err != nil {
			t.Fatal(err)
		}
		site := strings.TrimPrefix(name, "proofstream-")
		if err := New(Options{URL: c.url(), Sites: []string{site}}).Open(t.Context()); !errors.Is(err, errUnfit) || !strings.Contains(err.Error(), "PROOF_NATS_STREAM") {
			t.Errorf("open with %s: %v", name, err)
		}
		if _, _, err := l.Append(t.Context(), site, stream.Entry{Data: payload}); !errors.Is(err, errUnfit) {
			t.Errorf("append to %s: %v", name, err)
		}
	}
	l = opened(t, Options{URL: c.url(), Sites: []string{"a"}, Update: true})
	if seq := mustAppend(t, l, "k"); seq != 1 {
		t.Errorf("append to a stream that was taken over: %d", seq)
	}
}

// TestClock would catch a clock that follows the jitter of answers, or not the cluster's clock.
func TestClock(t *testing.T) {
	var c clock
	now := time.Now()
	at := func(ms int) time.Time { return now.Add(time.Duration(ms) * time.Millisecond) }
	for _, step := range []struct {
		sent, received, given int // ms
		want                  time.Duration
	}{
		{0, 10, 5, 0}, {0, 10, 1005, 995 * time.Millisecond}, {0, 400, 1100, 995 * time.Millisecond},
		{0, 2, 999, 997 * time.Millisecond}, {0, 2, -500, -500 * time.Millisecond},
	} {
		c.adjust(at(step.sent), at(step.received), at(step.given))
		if c.offset != step.want {
			t.Errorf("offset after %+v is %v", step, c.offset)
		}
	}
}
