package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/stream"
)

// Many readers that are slow and far behind hold at most a buffer of events each in memory, counted in the whole process:
// PROOF_BUFFER is the ceiling. So it is while they read nothing in the middle of what they missed, while they then get
// all of it, and while they are stuck with live events. With PROOF_TEST_LONG=1 there are 500,
// and 2,000 events of the largest kind wait for each of them.
func TestWhatWaitsForManySlowReadersIsBounded(t *testing.T) {
	for _, buffer := range []int{8, 64} {
		t.Run(fmt.Sprint("PROOF_BUFFER=", buffer), func(t *testing.T) {
			readers, missed := scaled(30, 500), scaled(1600, 2000) // the newest 1,024 are in memory, once for all
			descriptors(t, readers+500)
			h := newHoard(t, readers, buffer)
			s := h.p.listen(t, "")
			first := s.ready(t).id
			s.close()
			want := h.p.burst(t, missed, largest...)
			h.base = h.p.heap(t, h.metrics)

			behind := h.stuck(t, "?last_event_id="+first)
			h.look(t)
			h.drain(t, behind, want)
			t.Logf("behind: at most %.1f MB of heap more, ceiling %.1f MB", h.most/(1<<20), h.ceiling()/(1<<20))

			live := h.stuck(t, "")
			want = h.p.burst(t, 300, largest...)
			h.still(t)
			h.look(t)
			h.drain(t, live, want)
			t.Logf("in the end: at most %.1f MB of heap more, %d of %d streams let go", h.most/(1<<20), h.cut.Load(), 2*readers)
		})
	}
}

// largest is a signup that makes about the largest event there can be.
var largest = []string{
	"img_path=/" + strings.Repeat("i", 2047), "url=/" + strings.Repeat("u", 2047),
	"offer_name=" + strings.Repeat("\u2028", 120), "place=" + strings.Repeat("\U0001F40C", 120),
}

// hoard watches the heap of a program with many slow readers.
type hoard struct {
	p               *program
	metrics         string
	readers, buffer int
	base            float64 // bytes of heap before they came
	most            float64 // that it had more, whenever it was looked at
	cut             atomic.Int64
}

func newHoard(t *testing.T, readers, buffer int) *hoard {
	t.Helper()
	h := &hoard{metrics: freeAddress(t), readers: readers, buffer: buffer}
	h.p = startShipped(t, "PROOF_METRICS_ADDR="+h.metrics, "PROOF_RETAIN=10000", fmt.Sprint("PROOF_BUFFER=", buffer))
	return h
}

// ceiling is what readers may make the heap grow by: for each a buffer of events, and a write under way, once as frames
// and once as a chunk of the answer; for all together the events that are kept in memory while somebody is behind
// (stream.Options.ArrearsBytes), and what the log has at hand: on a busy machine it lets go of blocks that it has read
// only after a while. A reader that held all that it missed would make it a multiple.
func (h *hoard) ceiling() float64 {
	const write, kept, log = 24 << 10, 16 << 20, 32 << 20
	return float64(h.readers*(h.buffer*stream.MaxFrame+2*write) + kept + log)
}

// look holds the heap, as it is now, against the ceiling.
func (h *hoard) look(t *testing.T) {
	t.Helper()
	more := h.p.heap(t, h.metrics) - h.base
	if more > h.ceiling() {
		t.Errorf("%.1f MB of heap more, want at most %.1f MB", more/(1<<20), h.ceiling()/(1<<20))
	}
	h.most = max(h.most, more)
}

// stuck opens streams that read nothing, and returns once none of them is written to any more.
func (h *hoard) stuck(t *testing.T, query string) (conns []net.Conn) {
	t.Helper()
	for range h.readers {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(h.p.url, "http://"), patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "GET /events%s HTTP/1.1\r\nHost: x\r\n\r\n", query)
		conns = append(conns, conn)
	}
	open := func() int { return int(h.p.metric(t, h.metrics, "proofstream_subscribers")) }
	until(t, patience, func() bool { return open() == h.readers }, func() string { return fmt.Sprint(open(), " streams are open") })
	h.still(t)
	return conns
}

// still waits until no frame has been sent for a while.
func (h *hoard) still(t *testing.T) {
	t.Helper()
	last, since := -1.0, time.Now()
	until(t, patience, func() bool {
		n := h.p.metric(t, h.metrics, "proofstream_frames_sent_total")
		if n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	}, func() string { return fmt.Sprint(last, " frames sent, and more are on the way") })
}

// drain has everybody read what waits, and stop once in the middle; it looks at the heap then, and all the time. Who gets
// nothing for long enough is let go, as the service does, and says: on a busy machine that may be some of those that
// stopped, for it takes the kernel seconds to find out that they read again.
func (h *hoard) drain(t *testing.T, conns []net.Conn, want []string) {
	t.Helper()
	var (
		reading sync.WaitGroup
		gate    sync.RWMutex // held while nobody is to read
		events  atomic.Int64
	)
	for i, conn := range conns {
		reading.Go(func() {
			defer conn.Close()
			if err := readIDs(conn, want, &gate, &events); errors.Is(err, errCut) {
				h.cut.Add(1)
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
			h.p.settled(t, h.metrics)
			h.account(t)
			return
		case <-time.After(200 * time.Millisecond):
		}
		if events.Load() >= middle {
			middle = math.MaxInt64
			gate.Lock()
			h.still(t)
			h.look(t)
			gate.Unlock()
		}
		h.look(t)
	}
}

// account holds the streams that ended too early to what the service says that it let go.
func (h *hoard) account(t *testing.T) {
	t.Helper()
	var told float64
	for _, why := range []string{"slow", "dead"} {
		told += h.p.metric(t, h.metrics, `proofstream_streams_ended_total{reason="`+why+`"}`)
	}
	if cut := h.cut.Load(); cut > int64(told) || cut > int64(h.readers/2) {
		t.Errorf("%d streams of %d readers ended early, %v were let go", cut, h.readers, told)
	}
}

// errCut says that a stream has ended before all had come.
var errCut = errors.New("the stream was cut")

// readIDs reads a stream until it has brought all of the ids, in their order, while the gate is open. It counts them.
func readIDs(conn net.Conn, want []string, gate *sync.RWMutex, events *atomic.Int64) error {
	lines := bufio.NewReaderSize(conn, 16<<10)
	for opened := false; len(want) > 0; {
		conn.SetReadDeadline(time.Now().Add(2 * patience))
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("%w with %d events missing: %w", errCut, len(want), err)
		}
		id, found := strings.CutPrefix(line, "id: ")
		switch id = strings.TrimSpace(id); {
		case !found:
		case !opened: // of the opening frame
			opened = true
		case id != want[0]:
			return fmt.Errorf("got %s, want %s", id, want[0])
		default:
			want = want[1:]
			gate.RLock()
			events.Add(1)
			gate.RUnlock()
		}
	}
	return nil
}
