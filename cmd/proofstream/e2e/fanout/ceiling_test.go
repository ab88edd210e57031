package fanout

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream"
	"proofstream/stream/ssetest"
	"proofstream/stream/waitfor"
)

// Each slow reader takes at most the memory of PROOF_BUFFER events, measured as heap of the whole process. This holds while the readers
// stop in the middle of what they missed, while they get the rest, and while they stall during live events. There
// are 500 readers that missed 2,000 events of the largest size each.
func TestWhatWaitsForManySlowReadersIsBounded(t *testing.T) {
	e2e.Strong(t)
	for _, buffer := range []int{8, 64} {
		t.Run(fmt.Sprint("PROOF_BUFFER=", buffer), func(t *testing.T) {
			readers, missed := 500, 2000 // more than the replay buffer, which has the newest 1,024 once for all readers
			e2e.NeedDescriptors(t, readers+500)
			h := startSlowReaders(t, readers, buffer)
			s := h.p.Listen(t, "")
			first := s.Ready(t).ID
			s.Close()
			want := h.p.Burst(t, missed, largest...)
			h.base = h.p.Heap(t)

			lagging := h.open(t, "?last_event_id="+first)
			h.checkHeap(t)
			h.readAll(t, lagging, want)
			t.Logf("catching up: at most %.1f MB of heap more, bound %.1f MB", h.most/(1<<20), h.bound()/(1<<20))

			live := h.open(t, "")
			want = h.p.Burst(t, 300, largest...)
			h.awaitIdle(t)
			h.checkHeap(t)
			h.readAll(t, live, want)
			t.Logf("in the end: at most %.1f MB of heap more, %d of %d streams ended early", h.most/(1<<20), h.early.Load(), 2*readers)
		})
	}
}

// largest are the fields of a signup whose event is about as large as an event can be.
var largest = []string{
	"img_path=/" + strings.Repeat("i", 2047), "url=/" + strings.Repeat("u", 2047),
	"offer_name=" + strings.Repeat("\u2028", 120), "place=" + strings.Repeat("\U0001F40C", 120),
}

// slowReaders watches the heap of a program with many slow readers.
type slowReaders struct {
	p               *e2e.Program
	readers, buffer int
	base            float64      // bytes of heap without readers
	most            float64      // largest measured growth of the heap over base
	early           atomic.Int64 // streams that ended before their reader had everything
}

// startSlowReaders starts a program with a PROOF_BUFFER. readers is how many streams open opens.
func startSlowReaders(t *testing.T, readers, buffer int) *slowReaders {
	t.Helper()
	p := e2e.StartShipped(t, e2e.MetricsOn(t), "PROOF_RETAIN=10000", fmt.Sprint("PROOF_BUFFER=", buffer))
	return &slowReaders{p: p, readers: readers, buffer: buffer}
}

// bound returns how many bytes the heap may grow by. Each reader has a buffer of events and a pending write, once as frames and once as
// a chunk of the response. All readers share the replay buffer and the blocks that the log has read, which it frees with a delay. If
// each reader held all that it missed, the heap would grow by several times the bound.
func (h *slowReaders) bound() float64 {
	const write, replay, log = 24 << 10, 16 << 20, 32 << 20
	return float64(h.readers*(h.buffer*stream.MaxFrame+2*write) + replay + log)
}

// checkHeap checks that the heap has grown by at most the bound.
func (h *slowReaders) checkHeap(t *testing.T) {
	t.Helper()
	more := h.p.Heap(t) - h.base
	if more > h.bound() {
		t.Errorf("%.1f MB of heap more, want at most %.1f MB", more/(1<<20), h.bound()/(1<<20))
	}
	h.most = max(h.most, more)
}

// open opens streams without reading them, and returns when the program no longer writes to them.
func (h *slowReaders) open(t *testing.T, query string) (conns []net.Conn) {
	t.Helper()
	for range h.readers {
		conns = append(conns, h.p.Raw(t, e2e.StreamRequest(query)))
	}
	h.p.AwaitSubscribers(t, h.readers)
	h.awaitIdle(t)
	return conns
}

// awaitIdle waits until the program has sent no frame for 300 ms. It has no counter of blocked writes to wait for instead.
func (h *slowReaders) awaitIdle(t *testing.T) {
	t.Helper()
	last, since := -1.0, time.Now()
	waitfor.Until(t, waitfor.Patience, func() bool {
		n := h.p.Metric(t, "proofstream_frames_sent_total")
		if n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	}, func() string { return fmt.Sprint(last, " frames sent, and more are on the way") })
}

// readAll reads all streams to the end of want. In the middle all readers stop for a while. It measures the heap every 200 ms, and while
// the readers stand still. On a busy machine the kernel can take seconds to resume sending after that, and the program may disconnect a
// reader as stalled.
func (h *slowReaders) readAll(t *testing.T, conns []net.Conn, want []string) {
	t.Helper()
	var (
		reading sync.WaitGroup
		stopped sync.RWMutex // locked while the readers stand still
		events  atomic.Int64
	)
	for i, conn := range conns {
		reading.Go(func() {
			defer conn.Close()
			if err := readIDs(conn, want, &stopped, &events); errors.Is(err, errEndedEarly) {
				h.early.Add(1)
			} else if err != nil {
				t.Errorf("reader %d: %v", i, err)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		reading.Wait()
		close(done)
	}()
	for middle := int64(len(conns)*len(want)) / 4; ; {
		select {
		case <-done:
			awaitNoSubscribers(t, h.p)
			h.checkEarlyEnds(t)
			return
		case <-time.After(200 * time.Millisecond):
		}
		if events.Load() >= middle {
			middle = math.MaxInt64
			stopped.Lock()
			h.awaitIdle(t)
			h.checkHeap(t)
			stopped.Unlock()
		}
		h.checkHeap(t)
	}
}

// checkEarlyEnds checks that the program counts at least as many disconnected streams as ended early, and that at most half did.
func (h *slowReaders) checkEarlyEnds(t *testing.T) {
	t.Helper()
	var counted float64
	for _, why := range []string{"slow", "dead"} {
		counted += h.p.Metric(t, `proofstream_streams_ended_total{reason="`+why+`"}`)
	}
	if early := h.early.Load(); early > int64(counted) || early > int64(h.readers/2) {
		t.Errorf("%d streams of %d readers ended early, %v are counted", early, h.readers, counted)
	}
}

// errEndedEarly says that a stream ended before its reader had everything.
var errEndedEarly = errors.New("the stream ended early")

// readIDs reads a stream until it has received the ids want in order, and counts them. It does not read while stopped is locked.
func readIDs(conn net.Conn, want []string, stopped *sync.RWMutex, count *atomic.Int64) error {
	conn.SetReadDeadline(time.Now().Add(4 * waitfor.Patience))
	for events := ssetest.NewReader(conn, ""); len(want) > 0; {
		e, err := events.Next()
		if err != nil {
			return fmt.Errorf("%w with %d events missing: %w", errEndedEarly, len(want), err)
		}
		if e.Kind != "signup" {
			continue
		}
		if e.ID != want[0] {
			return fmt.Errorf("got %s, want %s", e.ID, want[0])
		}
		want = want[1:]
		stopped.RLock()
		count.Add(1)
		stopped.RUnlock()
	}
	return nil
}
