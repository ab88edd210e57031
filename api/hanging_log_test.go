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
	"proofstream/stream/waitfor"
)

// hangingLog blocks some calls until their context ends, and counts those that wait.
type hangingLog struct {
	stream.Log
	latest, bounds bool // which calls
	waiting        *atomic.Int64
}

func (l hangingLog) hang(ctx context.Context) error {
	l.waiting.Add(1)
	defer l.waiting.Add(-1)
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

// A client that has left must not keep a call to the log waiting: many of them would hold all readers of the log.
func TestCallsToTheLogEndWithTheRequest(t *testing.T) {
	var waiting atomic.Int64
	hanging := func(l hangingLog) func(*setup) {
		return func(o *setup) {
			o.PostTimeout = time.Hour
			o.wrapLog = func(log stream.Log) stream.Log { l.Log = log; return l }
		}
	}
	latest := serve(t, hanging(hangingLog{latest: true, waiting: &waiting}))
	bounds := serve(t, hanging(hangingLog{bounds: true, waiting: &waiting}))
	for path, h := range map[string]*harness{
		"/recent": latest, "/events?recent=3": latest, "/stats": bounds, "/events?last_event_id=a-1&lastEventId=a-2": bounds,
	} {
		ctx, leave := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, "GET", h.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		var gone sync.WaitGroup
		gone.Go(func() { h.client.Do(r) })
		waitfor.Fact(t, path+" calls the log", func() bool { return waiting.Load() == 1 })
		leave()
		gone.Wait()
		waitfor.Fact(t, path+" no longer waits for the log", func() bool { return waiting.Load() == 0 })
	}
	if output := latest.output.String() + bounds.output.String(); strings.Contains(output, "level=WARN") {
		t.Errorf("a client that has left is a warning:\n%s", output)
	}
}

// A log that does not return within PostTimeout is a 503 with Retry-After, or busy in a stream.
func TestLogThatHangsIsReported(t *testing.T) {
	h := serve(t, func(o *setup) {
		o.PostTimeout = 50 * time.Millisecond
		o.wrapLog = func(l stream.Log) stream.Log { return hangingLog{l, true, true, new(atomic.Int64)} }
	})
	for _, path := range []string{"/recent", "/stats"} {
		if got := h.request(t, "GET", path, ""); got.status != 503 || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d %q, Retry-After %q; want 503", path, got.status, got.body, got.header.Get("Retry-After"))
		}
	}
	for _, path := range []string{"/events", "/events?last_event_id=a-1&lastEventId=a-2"} {
		if got := h.request(t, "GET", path, ""); got.status != 200 || !strings.HasPrefix(got.body, "event: busy\n") {
			t.Errorf("%s: got %d %q, want busy", path, got.status, got.body)
		}
	}
}

// slowLog takes a second to return the bounds of a site, and never returns those of the site hung.
type slowLog struct {
	stream.Log
	waiting, most *atomic.Int64
}

func (l slowLog) Bounds(ctx context.Context, site string) (stream.Bounds, error) {
	if n := l.waiting.Add(1); n > l.most.Load() {
		l.most.Store(n)
	}
	defer l.waiting.Add(-1)
	if site == "hung" {
		<-ctx.Done()
		return stream.Bounds{}, ctx.Err()
	}
	time.Sleep(time.Second)
	return stream.Bounds{Signups: 7}, ctx.Err()
}

func (slowLog) Healthy() error { return nil }

// One site whose log hangs costs the operator neither the numbers of the others nor the scrape.
func TestScrapeLeavesOutSitesWhoseLogHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slowLog{waiting: new(atomic.Int64), most: new(atomic.Int64)}
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
		start := time.Now()
		text := scrape(t, server)
		if took := time.Since(start); took != keptWithin {
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
			t.Error("the metrics report damage of a log that has no files")
		}
		server.sites = map[string]*Site{}
		for i := range 50 {
			server.sites[fmt.Sprint(i)] = &Site{}
		}
		if scrape(t, server); log.most.Load() != 8 {
			t.Errorf("%d sites were read at once, want 8", log.most.Load())
		}
	})
}
