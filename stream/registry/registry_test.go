package registry_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/registry"
	"proofstream/stream/sqlitelog"
)

// fixture is a registry over a real log, running.
type fixture struct {
	*registry.Registry
	log *sqlitelog.Log
}

// newFixture starts a registry whose log keeps so many events of a site.
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

// Publishers race subscribers that join, stall, leave and come back. Whatever happens, each
// subscriber's ids must be exactly the log's after its first cursor, in order, each once. It
// would catch a seam between replay and live, a frame lost in a full channel, a double delivery
// after catching up.
func TestEverySubscriberGetsExactlyTheLog(t *testing.T) {
	seeds := 1000
	if testing.Short() {
		seeds = 100
	}
	// Small buffers, so that memory, log and live feed take turns all the time.
	d := newFixture(t, 1000, registry.Options{Buffer: 2, Window: 3, LaggingWindow: 6})
	next := make(chan uint64)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for seed := range next {
				raceOneSite(t, d, seed)
			}
		})
	}
	for seed := range seeds {
		next <- uint64(seed)
	}
	close(next)
	workers.Wait()
	if st := d.Stats(); st.CatchUps == 0 || st.Pages == 0 {
		t.Errorf("the race never filled a channel (%d) or never read the log (%d): it shows nothing", st.CatchUps, st.Pages)
	}
}

// raceOneSite plays one seed on a site of its own.
func raceOneSite(t *testing.T, d *fixture, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	site := fmt.Sprintf("s%d", seed)
	publishers, each := 1+random.IntN(3), 3+random.IntN(12)
	var (
		posted   = make([][]stream.ID, publishers)
		posting  sync.WaitGroup
		watching sync.WaitGroup
		watchers = make([]watcher, 1+random.IntN(5))
	)
	for i := range watchers {
		watchers[i] = watcher{fixture: d, site: site, random: rand.New(rand.NewPCG(seed, uint64(i+2))), done: make(chan uint64, 1)}
		watching.Go(func() { watchers[i].watch(t) })
	}
	for i := range publishers {
		posting.Go(func() { posted[i] = d.announce(t, site, each) })
	}
	posting.Wait()
	log := slices.Concat(posted...)
	slices.SortFunc(log, func(a, b stream.ID) int { return int(int64(a.Seq) - int64(b.Seq)) })
	last := uint64(0) // when no post succeeded, which announce has told
	if len(log) > 0 {
		last = log[len(log)-1].Seq
	}
	for i := range watchers {
		watchers[i].done <- last
	}
	watching.Wait()
	for i := range watchers {
		want := log
		for len(want) > 0 && want[0].Seq <= watchers[i].from.Seq {
			want = want[1:]
		}
		if !slices.Equal(watchers[i].got, texts(want)) {
			t.Errorf("seed %d watcher %d from %s got %v, want %v", seed, i, watchers[i].from, watchers[i].got, texts(want))
		}
	}
}

// watcher is a subscriber that leaves and comes back as it likes, and stays to the end.
type watcher struct {
	fixture *fixture
	site    string
	random  *rand.Rand
	done    chan uint64 // tells the last sequence, once it is known
	from    stream.ID
	got     []string
}

func (w *watcher) watch(t *testing.T) {
	cursor, last := "", uint64(1<<63)
	for first := true; ; first = false {
		s, welcome := w.fixture.join(t, registry.Request{Site: w.site, Cursor: cursor})
		if first {
			w.from, cursor = welcome.Cursor, welcome.Cursor.String()
		} else if welcome.Replay != stream.Complete {
			t.Errorf("%s came back with %s and was told %+v", w.site, cursor, welcome)
		}
		cursor, last = w.visit(s, cursor, last)
		s.Close(registry.Gone)
		if w.random.IntN(3) == 0 {
			time.Sleep(time.Duration(w.random.IntN(20)) * time.Millisecond) // away, while events leave memory
		}
		if id, _ := stream.ParseID(cursor); id.Seq >= last {
			return
		}
	}
}

// visit reads some batches, now and then slowly, until it has the last event or has had enough.
func (w *watcher) visit(s *registry.Subscription, cursor string, last uint64) (string, uint64) {
	timer := time.AfterFunc(time.Duration(1+w.random.IntN(20))*time.Millisecond, func() { s.End(registry.Gone) })
	defer timer.Stop()
	for range 1 + w.random.IntN(12) {
		b, err := s.Next()
		if err != nil {
			break
		}
		for _, id := range ids(b) {
			w.got, cursor = append(w.got, id), id
		}
		if w.random.IntN(4) == 0 {
			time.Sleep(time.Duration(w.random.IntN(2000)) * time.Microsecond) // a slow reader, not a hope
		}
	}
	select {
	case last = <-w.done:
	default:
	}
	return cursor, last
}

// A cursor older than what is kept gets a gap and all that is kept; one that misses nothing is complete, however
// old. Each is judged from memory, and from the log when nothing is in memory.
func TestCursorIsComparedWithTheLowWatermark(t *testing.T) {
	for _, window := range []int{1, 1000} {
		d := newFixture(t, 5, registry.Options{Window: window})
		quiet := d.announce(t, "quiet", 1)
		busy := d.announce(t, "busy", 12)
		for _, tc := range []struct {
			name, site string
			cursor     stream.ID
			replay     stream.Replay
			want       []stream.ID
		}{
			{"a quiet site's old event is still kept", "quiet", before(quiet[0]), stream.Complete, quiet},
			{"a quiet site misses nothing, whatever another one lost", "quiet", quiet[0], stream.Complete, nil},
			{"before the kept ones", "busy", busy[0], stream.Gap, busy[7:]},
			{"the last one that misses something", "busy", busy[5], stream.Gap, busy[7:]},
			{"the first one that misses nothing", "busy", busy[6], stream.Complete, busy[7:]},
			{"another site's", "busy", quiet[0], stream.Gap, busy[7:]},
		} {
			s, w := d.join(t, registry.Request{Site: tc.site, Cursor: tc.cursor.String()})
			if w.Replay != tc.replay || w.Replay == stream.Gap && tc.site == "busy" && tc.cursor.Epoch == busy[0].Epoch && w.Reason != stream.Expired {
				t.Errorf("window %d, %s: got %+v, want %s", window, tc.name, w, tc.replay)
			}
			if got, want := receive(t, s, len(tc.want)), texts(tc.want); !slices.Equal(got, want) {
				t.Errorf("window %d, %s: got %v, want %v", window, tc.name, got, want)
			}
			if len(tc.want) > 0 && w.Cursor.Seq >= tc.want[0].Seq {
				t.Errorf("window %d, %s: ready has %s, ahead of %s", window, tc.name, w.Cursor, tc.want[0])
			}
			s.Close(registry.Gone)
		}
	}
}

// handedOut waits until a site that has a subscriber was handed everything up to an id.
func (d *fixture) handedOut(t testing.TB, id stream.ID) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if d.High("default") >= id.Seq {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the registry has not reached %s", id)
		}
	}
}

// before returns the cursor just before an event; before the first one that is the origin's.
func before(id stream.ID) stream.ID { id.Seq--; return id }

// What is no cursor of this log gets a gap with the reason, and never silence.
func TestForeignAheadAndMalformedCursors(t *testing.T) {
	d := newFixture(t, 100, registry.Options{})
	kept := d.announce(t, "default", 4)
	newest := kept[3]
	ahead := stream.ID{Epoch: newest.Epoch, Seq: newest.Seq + 1000}
	for _, tc := range []struct {
		name, cursor string
		reason       stream.Reason
		recent       int
		want         []stream.ID
	}{
		{"a foreign epoch gets all that is kept", "zzzzz-3", stream.Foreign, 0, kept},
		{"beyond the newest goes on from there", ahead.String(), stream.Ahead, 0, nil},
		{"beyond the newest honours recent", ahead.String(), stream.Ahead, 2, kept[2:]},
		{"garbage goes on from the newest", "not an id", stream.Malformed, 0, nil},
		{"garbage honours recent", "k3v9-01", stream.Malformed, 3, kept[1:]},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, w := d.join(t, registry.Request{Site: "default", Cursor: tc.cursor, Recent: tc.recent})
			defer s.Close(registry.Gone)
			if w.Replay != stream.Gap || w.Reason != tc.reason {
				t.Errorf("got %+v, want a gap because %s", w, tc.reason)
			}
			got := receive(t, s, len(tc.want))
			if !slices.Equal(got, texts(tc.want)) {
				t.Errorf("got %v, want %v", got, texts(tc.want))
			}
			// Cut right after ready: coming back with its id must bring all of it.
			again, w2 := d.join(t, registry.Request{Site: "default", Cursor: w.Cursor.String()})
			defer again.Close(registry.Gone)
			if w2.Replay != stream.Complete {
				t.Errorf("the id of ready, %s, was told %+v", w.Cursor, w2)
			}
			if got := receive(t, again, len(tc.want)); !slices.Equal(got, texts(tc.want)) {
				t.Errorf("after ready's id got %v, want %v", got, texts(tc.want))
			}
		})
	}
}

// A subscriber far behind, during live traffic, converges; a burst ends nobody who reads, though
// the retention has removed by then what some had still to get.
func TestBurstBeyondRetentionEndsNobody(t *testing.T) {
	d := newFixture(t, 50, registry.Options{Buffer: 8, Window: 16})
	const readers, events = 40, 2000
	var reading sync.WaitGroup
	results := make([][]string, readers)
	start := make(chan struct{})
	for i := range readers {
		s, _ := d.join(t, registry.Request{Site: "default"})
		reading.Go(func() {
			defer s.Close(registry.Gone)
			if i%4 == 0 {
				<-start // begins to read when the burst is over
			}
			results[i] = receive(t, s, events)
		})
	}
	want := texts(d.burst(t, "default", events))
	close(start)
	reading.Wait()
	for i := range results {
		if !slices.Equal(results[i], want) {
			t.Errorf("reader %d got %d events, want %d in order", i, len(results[i]), len(want))
		}
	}
	if st := d.Stats(); st.CatchUps == 0 || st.Ended[string(registry.Overrun)] != 0 {
		t.Errorf("got %d catch-ups and %d overruns, want some and none", st.CatchUps, st.Ended[string(registry.Overrun)])
	}
}

// A post is visible to its own client at once: in /recent, in the numbers, and before a new subscription.
func TestPostIsVisibleAtOnce(t *testing.T) {
	d := newFixture(t, 1000, registry.Options{})
	for i := range 300 {
		id := d.announce(t, "default", 1)[0]
		if got, cursor := d.recent(t, "default", 1); len(got) != 1 || got[0] != id.String() || cursor != id {
			t.Fatalf("after post %d, %s, the newest is %v with cursor %s", i, id, got, cursor)
		}
		if _, n, err := d.Numbers(t.Context(), "default"); n != i+1 || err != nil {
			t.Fatalf("after post %d there are %d, %v", i+1, n, err)
		}
		if i%10 == 0 {
			s, w := d.join(t, registry.Request{Site: "default"})
			s.Close(registry.Gone)
			if w.Cursor != id {
				t.Fatalf("after post %s a new subscription begins at %s", id, w.Cursor)
			}
		}
	}
}

// Erased events are withdrawn, never replayed again, and the retraction is: kept beside the others,
// not counted, for its own site alone.
func TestRetractionIsReplayedAndTheEventIsNot(t *testing.T) {
	d := newFixture(t, 5, registry.Options{})
	posted := d.announce(t, "default", 3)
	if err := d.Retract(t.Context(), "other", posted[1]); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("another site's key got %v, want ErrNotFound", err)
	}
	for range 2 { // the second time is no error and no second retraction
		if err := d.Retract(t.Context(), "default", posted[1]); err != nil {
			t.Fatal(err)
		}
	}
	last := d.announce(t, "default", 1)[0]
	retraction := stream.ID{Epoch: last.Epoch, Seq: last.Seq - 1}
	want := texts([]stream.ID{posted[0], posted[2], retraction, last})
	s, w := d.join(t, registry.Request{Site: "default", Cursor: before(posted[0]).String()})
	defer s.Close(registry.Gone)
	if got := receive(t, s, 4); w.Replay != stream.Complete || !slices.Equal(got, want) {
		t.Errorf("got %v (%+v), want %v complete", got, w, want)
	}
	if got, _ := d.recent(t, "default", 5); len(got) != 3 {
		t.Errorf("recent has %v, want the 3 that are left", got)
	}
	for _, tc := range []struct {
		name string
		id   stream.ID
	}{
		{"never given", stream.ID{Epoch: last.Epoch, Seq: last.Seq + 7}},
		{"of a foreign log", stream.ID{Epoch: "zzz", Seq: 1}},
		{"a retraction's own", retraction},
	} {
		if err := d.Retract(t.Context(), "default", tc.id); !errors.Is(err, stream.ErrNotFound) {
			t.Errorf("an id %s got %v, want ErrNotFound", tc.name, err)
		}
	}
}

// After a restart cursors go on, and gaps are told as before.
func TestCursorsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	first := openFixture(t, dir, 5)
	stop := first.start(t, first.log, registry.Options{})
	posted := first.announce(t, "default", 9)
	stop()
	second := openFixture(t, dir, 5)
	t.Cleanup(second.start(t, second.log, registry.Options{}))
	fresh, w := second.join(t, registry.Request{Site: "default"})
	fresh.Close(registry.Gone)
	if w.Cursor != posted[8] {
		t.Errorf("ready is at %s, want the newest event's id %s", w.Cursor, posted[8])
	}
	later := second.announce(t, "default", 1)
	for i, id := range posted {
		want := append(texts(posted[5:]), later[0].String()) // the newest five
		if i >= 4 {
			want = append(texts(posted[i+1:]), later[0].String())
		}
		s, w := second.join(t, registry.Request{Site: "default", Cursor: id.String()})
		if got := receive(t, s, len(want)); !slices.Equal(got, want) {
			t.Errorf("from %s got %v, want %v", id, got, want)
		}
		if told := w.Replay == stream.Gap; told != (i < 4) {
			t.Errorf("from event %d of 9 was told %+v", i+1, w)
		}
		s.Close(registry.Gone)
	}
	if strings.Split(later[0].String(), "-")[0] == posted[0].Epoch {
		t.Error("the restart opened no new epoch")
	}
}
