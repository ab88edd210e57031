package registry_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/registry"
	"proofstream/stream/sqlitelog"
	"proofstream/stream/waitfor"
)

// fixture is a registry over a real log, running.
type fixture struct {
	*registry.Registry
	log *sqlitelog.Log
}

// newFixture starts a registry whose log keeps retain events of a site.
func newFixture(t testing.TB, retain int, o registry.Options) *fixture {
	t.Helper()
	d := openFixture(t, t.TempDir(), retain)
	t.Cleanup(d.start(t, d.log, o))
	return d
}

func openFixture(t testing.TB, dir string, retain int) *fixture {
	t.Helper()
	log := sqlitelog.New(sqlitelog.Options{
		Dir: dir, Limits: stream.Limits{Events: retain, Age: time.Hour}, Logger: slog.New(slog.DiscardHandler),
	})
	if err := log.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &fixture{log: log}
}

// start runs a registry over a log, usually d.log, and returns what stops both.
func (d *fixture) start(t testing.TB, log stream.Log, o registry.Options) func() {
	d.Registry = registry.New(log, o)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { d.log.Run(ctx) })
	running.Go(func() {
		if err := d.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("registry stopped: %v", err)
		}
	})
	return func() {
		stop()
		running.Wait()
		if err := d.log.Close(); err != nil {
			t.Errorf("close log: %v", err)
		}
	}
}

// announce posts n signups and returns their ids.
func (d *fixture) announce(t testing.TB, site string, n int) (ids []stream.ID) {
	t.Helper()
	for i := range n {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		id, _, err := d.Publish(ctx, site, fmt.Appendf(nil, `{"user_name":"%d"}`, i), "")
		cancel()
		if err != nil {
			t.Errorf("post %d to %s: %v", i, site, err)
			return ids
		}
		ids = append(ids, id)
	}
	return ids
}

// burst posts n signups from 16 publishers at once and returns their ids in order.
func (d *fixture) burst(t testing.TB, site string, n int) []stream.ID {
	t.Helper()
	var posting sync.WaitGroup
	posted := make([][]stream.ID, 16)
	for i := range posted {
		posting.Go(func() { posted[i] = d.announce(t, site, n/16+min(1, max(0, n%16-i))) })
	}
	posting.Wait()
	all := slices.Concat(posted...)
	slices.SortFunc(all, func(a, b stream.ID) int { return cmp.Compare(a.Seq, b.Seq) })
	return all
}

// recent returns the ids of the newest n signups, oldest first, and the cursor after them.
func (d *fixture) recent(t testing.TB, site string, n int) (ids []string, cursor stream.ID) {
	t.Helper()
	frames, cursor, err := d.Recent(t.Context(), site, n)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		ids = append(ids, string(f.ID()))
	}
	return ids, cursor
}

func (d *fixture) join(t testing.TB, q registry.Request) (*registry.Subscription, registry.Resume) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s, w, err := d.Join(ctx, q)
	if err != nil {
		t.Fatalf("join %+v: %v", q, err)
	}
	return s, w
}

// delivered waits until everything up to an id of site default was delivered. The site needs a subscriber.
func (d *fixture) delivered(t testing.TB, id stream.ID) {
	t.Helper()
	waitfor.Fact(t, "the registry has delivered "+id.String(), func() bool { return d.High("default") >= id.Seq })
}

var idLines = regexp.MustCompile(`(?m)^id: (\S+)$`)

// ids returns the ids of the frames in a batch.
func ids(b registry.Batch) (found []string) {
	for _, m := range idLines.FindAllSubmatch(b.Bytes, -1) {
		found = append(found, string(m[1]))
	}
	return found
}

// receive calls Next until n events came, or fails after a while.
func receive(t testing.TB, s *registry.Subscription, n int) (got []string) {
	t.Helper()
	timer := time.AfterFunc(60*time.Second, func() { s.End(registry.Slow) })
	defer timer.Stop()
	for len(got) < n {
		b, err := s.Next()
		if err != nil {
			t.Errorf("got %d of %d events, then: %v", len(got), n, err)
			return got
		}
		got = append(got, ids(b)...)
	}
	return got
}

func texts(ids []stream.ID) (s []string) {
	for _, id := range ids {
		s = append(s, id.String())
	}
	return s
}

// before returns the cursor just before an event; before the first one that is the origin's.
func before(id stream.ID) stream.ID { id.Seq--; return id }
