package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"proofstream/stream"
	"proofstream/stream/registry"
)

// hangingLog does not answer some questions before their context ends, and counts those that wait.
type hangingLog struct {
	stream.Log
	latest, bounds bool // which ones
	asked          *atomic.Int64
}

func (l hangingLog) hang(ctx context.Context) error {
	l.asked.Add(1)
	defer l.asked.Add(-1)
	<-ctx.Done()
	return ctx.Err()
}

func (l hangingLog) Bounds(ctx context.Context, site string) (stream.Bounds, error) {
	if !l.bounds {
		return l.Log.Bounds(ctx, site)
	}
	return stream.Bounds{}, l.hang(ctx)
}

func (l hangingLog) Latest(ctx context.Context, site string, before uint64, n int) ([]stream.Event, stream.Bounds, error) {
	if !l.latest {
		return l.Log.Latest(ctx, site, before, n)
	}
	return nil, stream.Bounds{}, l.hang(ctx)
}

// Who has left must not keep a question to the log waiting: many such would hold all readers of the log.
func TestQuestionsToTheLogEndWithTheRequest(t *testing.T) {
	var asked atomic.Int64
	latest := newHarness(t, func(o *Options) { o.Log, o.PostTimeout = hangingLog{o.Log, true, false, &asked}, time.Hour })
	bounds := newHarness(t, func(o *Options) { o.Log, o.PostTimeout = hangingLog{o.Log, false, true, &asked}, time.Hour })
	for path, f := range map[string]*harness{
		"/recent": latest, "/events?recent=3": latest, "/stats": bounds, "/events?last_event_id=a-1&lastEventId=a-2": bounds,
	} {
		ctx, leave := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, "GET", f.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		var gone sync.WaitGroup
		gone.Go(func() { plainly.Do(r) })
		eventually(t, path+" asks the log", func() bool { return asked.Load() == 1 })
		leave()
		gone.Wait()
		eventually(t, path+" no longer asks the log", func() bool { return asked.Load() == 0 })
	}
	if said := latest.log.String() + bounds.log.String(); strings.Contains(said, "level=WARN") {
		t.Errorf("a visitor's leaving is a warning:\n%s", said)
	}
}

// A log that cannot be asked is told at once or after PostTimeout: as 503 to come back from, or as busy in a stream.
func TestLogThatCannotBeAskedIsTold(t *testing.T) {
	f := newHarness(t, func(o *Options) {
		o.Log, o.PostTimeout = hangingLog{o.Log, true, true, new(atomic.Int64)}, 50*time.Millisecond
	})
	for _, path := range []string{"/recent", "/stats"} {
		if got := f.ask(t, "GET", path, ""); got.status != 503 || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d %q, Retry-After %q; want 503", path, got.status, got.body, got.header.Get("Retry-After"))
		}
	}
	for _, path := range []string{"/events", "/events?last_event_id=a-1&lastEventId=a-2"} {
		if got := f.ask(t, "GET", path, ""); got.status != 200 || !strings.HasPrefix(got.body, "event: busy\n") {
			t.Errorf("%s: got %d %q, want busy", path, got.status, got.body)
		}
	}
}

// slowLog takes a second to tell a site's bounds, and for ever for the site hung.
type slowLog struct {
	stream.Log
	asked, most *atomic.Int64
}

func (l slowLog) Bounds(ctx context.Context, site string) (stream.Bounds, error) {
	if n := l.asked.Add(1); n > l.most.Load() {
		l.most.Store(n)
	}
	defer l.asked.Add(-1)
	if site == "hung" {
		<-ctx.Done()
		return stream.Bounds{}, ctx.Err()
	}
	time.Sleep(time.Second)
	return stream.Bounds{Signups: 7}, ctx.Err()
}

func (slowLog) Healthy() error { return nil }

// One site's log that hangs must not cost the operator the numbers of the others, nor the scrape.
func TestScrapeLeavesOutSitesWhoseLogCannotBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slowLog{asked: new(atomic.Int64), most: new(atomic.Int64)}
		o := Options{Log: log, Registry: registry.New(log, registry.Options{}), Assets: fewAssets, Sites: []Site{{Name: "hung"}}}
		var want []string
		for i := range 7 {
			o.Sites = append(o.Sites, Site{Name: fmt.Sprint("s", i)})
			want = append(want, fmt.Sprintf("proofstream_events_kept{site=\"s%d\"} 7", i))
		}
		server, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		begun := time.Now()
		text := (&harness{Server: server}).scrape(t)
		if took := time.Since(begun); took != keptWithin {
			t.Errorf("the scrape took %v, want %v", took, keptWithin)
		}
		var got []string
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "proofstream_events_kept{") {
				got = append(got, strings.TrimSpace(line))
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if strings.Contains(text, "proofstream_log_damage") {
			t.Error("the metrics tell of the damage of a log that has no files")
		}
		server.sites = map[string]*Site{}
		for i := range 50 {
			server.sites[fmt.Sprint(i)] = &Site{}
		}
		if (&harness{Server: server}).scrape(t); log.most.Load() != 8 {
			t.Errorf("%d sites were asked for at once, want 8", log.most.Load())
		}
	})
}
