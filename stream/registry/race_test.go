package registry_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/registry"
)

// Publishers race subscribers that join, stall, leave and reconnect. Whatever happens, each
// subscriber's ids must be exactly the log's after its first cursor, in order, each once. It
// would catch a seam between replay and live, a frame lost in a full channel, a double delivery
// after catching up.
func TestEverySubscriberGetsExactlyTheLog(t *testing.T) {
	seeds := 1000
	if testing.Short() {
		seeds = 100
	}
	// Small buffers, so that memory, log and channels take turns all the time.
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
	last := uint64(0) // when no post succeeded, which announce has reported
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

// watcher is a subscriber that leaves and reconnects at random, until it has the last event.
type watcher struct {
	fixture *fixture
	site    string
	random  *rand.Rand
	done    chan uint64 // gets the last sequence, once it is known
	from    stream.ID
	got     []string
}

func (w *watcher) watch(t *testing.T) {
	cursor, last := "", uint64(1<<63)
	for first := true; ; first = false {
		s, resume := w.fixture.join(t, registry.Request{Site: w.site, Cursor: cursor})
		if first {
			w.from, cursor = resume.Cursor, resume.Cursor.String()
		} else if resume.Replay != stream.Complete {
			t.Errorf("%s reconnected with %s and got %+v", w.site, cursor, resume)
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

// visit reads some batches, now and then slowly, until it has the last event or a random number of batches.
func (w *watcher) visit(s *registry.Subscription, cursor string, last uint64) (string, uint64) {
	timer := time.AfterFunc(time.Duration(1+w.random.IntN(20))*time.Millisecond, func() { s.End(registry.Gone) })
	defer timer.Stop()
	next := s.Next
	if w.random.IntN(2) == 0 {
		next = polled(s)
	}
	for range 1 + w.random.IntN(12) {
		b, err := next()
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
