package stream_test

import (
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
	"proofstream/stream/natslog"
)

// deck is a registry over a real embedded log, running.
type deck struct {
	*stream.Registry
	log  *natslog.Log
	post *stream.Poster
}

// newDeck starts a registry. Its log keeps retain events a site.
func newDeck(t testing.TB, o stream.Options) *deck {
	t.Helper()
	d := openDeck(t, t.TempDir(), o)
	t.Cleanup(d.close(t))
	return d
}

func openDeck(t testing.TB, dir string, o stream.Options) *deck {
	t.Helper()
	log, err := natslog.Open(t.Context(), natslog.Options{
		Dir: dir, Fsync: time.Second, Retain: o.Retain, Retention: o.Retention, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &deck{Registry: stream.NewRegistry(log, o), log: log}
	d.post = &stream.Poster{Log: log, Registry: d.Registry}
	return d
}

// close starts the deck and returns what stops it.
func (d *deck) close(t testing.TB) func() {
	ctx, stop := context.WithCancel(context.Background())
	primed := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { d.log.Run(ctx) }) // mends the log after a hitch
	running.Go(func() {
		if err := d.Run(ctx, func() { close(primed) }); !errors.Is(err, context.Canceled) {
			t.Errorf("registry stopped: %v", err)
		}
	})
	select {
	case <-primed:
	case <-time.After(20 * time.Second):
		t.Fatal("the registry has not read the log after 20 s")
	}
	return func() {
		stop()
		running.Wait()
		if err := d.log.Close(); err != nil {
			t.Errorf("close log: %v", err)
		}
	}
}

// announce posts n signups and returns their ids.
func (d *deck) announce(t testing.TB, site string, n int) (ids []stream.ID) {
	t.Helper()
	for i := range n {
		s, err := stream.NewSignup(stream.Fields{"user_name": fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		id, _, err := d.post.Post(ctx, site, s, "")
		cancel()
		if err != nil {
			t.Errorf("post %d to %s: %v", i, site, err)
			return ids
		}
		ids = append(ids, id)
	}
	return ids
}

func (d *deck) join(t testing.TB, q stream.Request) (*stream.Subscription, stream.Welcome) {
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
func ids(b stream.Batch) (found []string) {
	for _, m := range idLines.FindAllSubmatch(b.Bytes, -1) {
		found = append(found, string(m[1]))
	}
	return found
}

// receive calls Next until n events came, or fails after a while.
func receive(t testing.TB, s *stream.Subscription, n int) (got []string) {
	t.Helper()
	timer := time.AfterFunc(60*time.Second, func() { s.End(stream.Slow) })
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
// subscriber's ids must be exactly the log's after its first position, in order, each once. It
// would catch a seam between replay and live, a frame lost in a full channel, a double delivery
// after catching up.
func TestEverySubscriberGetsExactlyTheLog(t *testing.T) {
	seeds := 1000
	if testing.Short() {
		seeds = 100
	}
	// Small buffers, so that memory, log and live feed take turns all the time.
	d := newDeck(t, stream.Options{Buffer: 2, Window: 3, ArrearsWindow: 6, Retain: 1000, Retention: time.Hour})
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
	if st := d.Stats(); st.Arrears == 0 || st.Pages == 0 {
		t.Errorf("the race never filled a channel (%d) or never read the log (%d): it shows nothing", st.Arrears, st.Pages)
	}
}

// raceOneSite plays one seed on a site of its own.
func raceOneSite(t *testing.T, d *deck, seed uint64) {
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
		watchers[i] = watcher{deck: d, site: site, random: rand.New(rand.NewPCG(seed, uint64(i+2))), done: make(chan uint64, 1)}
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
	deck   *deck
	site   string
	random *rand.Rand
	done   chan uint64 // tells the last sequence, once it is known
	from   stream.ID
	got    []string
}

func (w *watcher) watch(t *testing.T) {
	position, last := "", uint64(1<<63)
	for first := true; ; first = false {
		s, welcome := w.deck.join(t, stream.Request{Site: w.site, Position: position})
		if first {
			w.from, position = welcome.Position, welcome.Position.String()
		} else if welcome.Replay != stream.Complete {
			t.Errorf("%s came back with %s and was told %+v", w.site, position, welcome)
		}
		position, last = w.visit(s, position, last)
		s.Close(stream.Gone)
		if id, _ := stream.ParseID(position); id.Seq >= last {
			return
		}
	}
}

// visit reads some batches, now and then slowly, until it has the last event or has had enough.
func (w *watcher) visit(s *stream.Subscription, position string, last uint64) (string, uint64) {
	timer := time.AfterFunc(time.Duration(1+w.random.IntN(20))*time.Millisecond, func() { s.End(stream.Gone) })
	defer timer.Stop()
	for range 1 + w.random.IntN(12) {
		b, err := s.Next()
		if err != nil {
			break
		}
		for _, id := range ids(b) {
			w.got, position = append(w.got, id), id
		}
		if w.random.IntN(4) == 0 {
			time.Sleep(time.Duration(w.random.IntN(2000)) * time.Microsecond) // a slow reader, not a hope
		}
	}
	select {
	case last = <-w.done:
	default:
	}
	return position, last
}

// A position older than what is kept must be told, and all that is kept follows; one that misses
// nothing must not be told a gap, however old. It would catch expiry judged by the whole log.
func TestGapIsToldForTheSiteAlone(t *testing.T) {
	d := newDeck(t, stream.Options{Retain: 5, Retention: time.Hour, Buffer: 64})
	quiet := d.announce(t, "quiet", 1)
	busy := d.announce(t, "busy", 12)
	d.handedOut(t, busy[11])
	for _, tc := range []struct {
		name, site string
		position   stream.ID
		replay     stream.Replay
		want       []stream.ID
	}{
		{"a quiet site's old event is still kept", "quiet", before(quiet[0]), stream.Complete, quiet},
		{"a quiet site misses nothing, whatever its neighbour lost", "quiet", quiet[0], stream.Complete, nil},
		{"a busy site's position before the kept ones", "busy", busy[0], stream.Gap, busy[7:]},
		{"the last position that misses one removed", "busy", before(busy[6]), stream.Gap, busy[7:]},
		{"the first position that misses none", "busy", busy[6], stream.Complete, busy[7:]},
		{"another site's id is a position", "busy", quiet[0], stream.Gap, busy[7:]},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, w := d.join(t, stream.Request{Site: tc.site, Position: tc.position.String()})
			defer s.Close(stream.Gone)
			if w.Replay != tc.replay {
				t.Errorf("got %+v, want %s", w, tc.replay)
			}
			if w.Replay == stream.Gap && w.Reason != stream.Expired {
				t.Errorf("got reason %s, want %s", w.Reason, stream.Expired)
			}
			if got, want := receive(t, s, len(tc.want)), texts(tc.want); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if w.Position.Seq > tc.position.Seq && w.Replay == stream.Complete {
				t.Errorf("ready is at %s, ahead of %s", w.Position, tc.position)
			}
		})
	}
}

// handedOut waits until the registry has reached an id.
func (d *deck) handedOut(t testing.TB, id stream.ID) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, at := d.Recent("default", 0); at.Seq >= id.Seq {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the registry has not reached %s", id)
		}
	}
}

func before(id stream.ID) stream.ID { id.Seq--; return id }

// What is no position of this log is told so, and never ends in silence.
func TestForeignAheadAndMalformedPositions(t *testing.T) {
	d := newDeck(t, stream.Options{Retain: 100, Retention: time.Hour})
	kept := d.announce(t, "default", 4)
	newest := kept[3]
	d.handedOut(t, newest)
	ahead := stream.ID{Epoch: newest.Epoch, Seq: newest.Seq + 1000}
	for _, tc := range []struct {
		name, position string
		reason         stream.Reason
		recent         int
		want           []stream.ID
	}{
		{"a foreign epoch gets all that is kept", "zzzzz-3", stream.Foreign, 0, kept},
		{"beyond the newest goes on from there", ahead.String(), stream.Ahead, 0, nil},
		{"beyond the newest honours recent", ahead.String(), stream.Ahead, 2, kept[2:]},
		{"garbage goes on from the newest", "not an id", stream.Malformed, 0, nil},
		{"garbage honours recent", "k3v9-01", stream.Malformed, 3, kept[1:]},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, w := d.join(t, stream.Request{Site: "default", Position: tc.position, Recent: tc.recent})
			defer s.Close(stream.Gone)
			if w.Replay != stream.Gap || w.Reason != tc.reason {
				t.Errorf("got %+v, want a gap because %s", w, tc.reason)
			}
			got := receive(t, s, len(tc.want))
			if !slices.Equal(got, texts(tc.want)) {
				t.Errorf("got %v, want %v", got, texts(tc.want))
			}
			// Cut right after ready: coming back with its id must bring all of it.
			again, w2 := d.join(t, stream.Request{Site: "default", Position: w.Position.String()})
			defer again.Close(stream.Gone)
			if w2.Replay != stream.Complete {
				t.Errorf("the id of ready, %s, was told %+v", w.Position, w2)
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
	d := newDeck(t, stream.Options{Retain: 50, Retention: time.Hour, Buffer: 8, Window: 16})
	const readers, events = 40, 2000
	var reading sync.WaitGroup
	results := make([][]string, readers)
	start := make(chan struct{})
	for i := range readers {
		s, _ := d.join(t, stream.Request{Site: "default"})
		reading.Go(func() {
			defer s.Close(stream.Gone)
			if i%4 == 0 {
				<-start // begins to read when the burst is over
			}
			results[i] = receive(t, s, events)
		})
	}
	want := texts(d.announce(t, "default", events))
	close(start)
	reading.Wait()
	for i := range results {
		if !slices.Equal(results[i], want) {
			t.Errorf("reader %d got %d events, want %d in order", i, len(results[i]), len(want))
		}
	}
	if st := d.Stats(); st.Arrears == 0 || st.Ended[string(stream.Overtaken)] != 0 {
		t.Errorf("got %d arrears and %d overtaken, want some and none", st.Arrears, st.Ended[string(stream.Overtaken)])
	}
}

// Who posts and then asks finds the post, however soon.
func TestPostIsFoundAtOnce(t *testing.T) {
	d := newDeck(t, stream.Options{Retain: 1000, Retention: time.Hour})
	for i := range 300 {
		id := d.announce(t, "default", 1)[0]
		frames, at := d.Recent("default", 1)
		if len(frames) != 1 || string(frames[0].ID()) != id.String() || at != id {
			t.Fatalf("after post %d, %s, the newest is %v at %s", i, id, frames, at)
		}
		if _, n := d.Numbers("default"); n != i+1 {
			t.Fatalf("after post %d there are %d", i+1, n)
		}
	}
}

// Erased events are withdrawn, never replayed again, and the retraction is: kept beside the others,
// not counted, for its own site alone.
func TestRetractionIsReplayedAndTheEventIsNot(t *testing.T) {
	d := newDeck(t, stream.Options{Retain: 3, Retention: time.Hour})
	posted := d.announce(t, "default", 3)
	if err := d.post.Retract(t.Context(), "other", posted[1]); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("another site's key got %v, want ErrNotFound", err)
	}
	for range 2 { // the second time is no error and no second retraction
		if err := d.post.Retract(t.Context(), "default", posted[1]); err != nil {
			t.Fatal(err)
		}
	}
	last := d.announce(t, "default", 1)[0]
	retraction := stream.ID{Epoch: last.Epoch, Seq: last.Seq - 1}
	want := texts([]stream.ID{posted[0], posted[2], retraction, last})
	s, w := d.join(t, stream.Request{Site: "default", Position: before(posted[0]).String()})
	defer s.Close(stream.Gone)
	if got := receive(t, s, 4); w.Replay != stream.Complete || !slices.Equal(got, want) {
		t.Errorf("got %v (%+v), want %v complete", got, w, want)
	}
	frames, _ := d.Recent("default", 5)
	if len(frames) != 3 {
		t.Errorf("recent has %d events, want the 3 that are left", len(frames))
	}
	for _, tc := range []struct {
		name string
		id   stream.ID
	}{
		{"never given", stream.ID{Epoch: last.Epoch, Seq: last.Seq + 7}},
		{"of a foreign log", stream.ID{Epoch: "zzz", Seq: 1}},
		{"a retraction's own", retraction},
	} {
		if err := d.post.Retract(t.Context(), "default", tc.id); !errors.Is(err, stream.ErrNotFound) {
			t.Errorf("an id %s got %v, want ErrNotFound", tc.name, err)
		}
	}
}

// After a restart positions go on, and gaps are told as before.
func TestPositionsSurviveARestart(t *testing.T) {
	dir, o := t.TempDir(), stream.Options{Retain: 5, Retention: time.Hour}
	first := openDeck(t, dir, o)
	stop := first.close(t)
	posted := first.announce(t, "default", 9)
	stop()
	second := openDeck(t, dir, o)
	t.Cleanup(second.close(t))
	fresh, w := second.join(t, stream.Request{Site: "default"})
	fresh.Close(stream.Gone)
	if w.Position != posted[8] {
		t.Errorf("ready is at %s, want the newest event's id %s", w.Position, posted[8])
	}
	later := second.announce(t, "default", 1)
	second.handedOut(t, later[0])
	for i, id := range posted {
		want := append(texts(posted[5:]), later[0].String()) // the newest five
		if i >= 4 {
			want = append(texts(posted[i+1:]), later[0].String())
		}
		s, w := second.join(t, stream.Request{Site: "default", Position: id.String()})
		if got := receive(t, s, len(want)); !slices.Equal(got, want) {
			t.Errorf("from %s got %v, want %v", id, got, want)
		}
		if told := w.Replay == stream.Gap; told != (i < 4) {
			t.Errorf("from event %d of 9 was told %+v", i+1, w)
		}
		s.Close(stream.Gone)
	}
	if strings.Split(later[0].String(), "-")[0] == posted[0].Epoch {
		t.Error("the restart opened no new epoch")
	}
}
