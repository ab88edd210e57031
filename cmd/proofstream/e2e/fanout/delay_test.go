package fanout

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// A stalled reader does not delay the other subscribers. With PROOF_TEST_LONG=1, without -race, the time from a post to its arrival at
// each of 999 subscribers has a 99th percentile that is less than 10 % above the one without the stalled reader. Phases with and
// without it alternate on the same process, so that a change of the machine's speed affects both; the median of the pairs counts. The
// ordinary suite checks that no event takes more than 5 s, as it would if the service waited for the reader.
func TestStalledReaderDelaysNobody(t *testing.T) {
	e2e.Slow(t)
	n, pairs := e2e.Scaled(100, 999), e2e.Scaled(2, 11)
	e2e.NeedDescriptors(t, n+500)
	d := newDelays(t, n, e2e.Scaled(30, 300))
	var with, without []time.Duration
	var ratios []float64
	for pair := range pairs {
		for i := range 2 {
			if (pair+i)%2 == 0 { // alternate which comes first
				with = append(with, d.withStalledReader(t))
			} else {
				without = append(without, d.p99(t))
			}
		}
		ratios = append(ratios, float64(with[pair])/float64(without[pair]))
	}
	t.Logf("p99 from post to arrival, phase by phase: %v with a stalled reader, %v without, ratios %.2f", with, without, ratios)
	slices.Sort(with)
	slices.Sort(without)
	slices.Sort(ratios)
	a, b, ratio := with[pairs/2], without[pairs/2], ratios[pairs/2]
	t.Logf("medians: %v with, %v without, ratio %.3f", a, b, ratio)
	if e2e.Long && ratio >= 1.1 {
		t.Errorf("p99 is %v with a stalled reader, %v without: ratio %.3f, want less than 1.1", a, b, ratio)
	}
	if d.worst > 5*time.Second { // half of how long a stalled reader is kept
		t.Errorf("an event took %v", d.worst)
	}
}

// delays measures the time from a post to its arrival at readers.
type delays struct {
	p       *e2e.Program
	readers *e2e.Readers
	events  int           // events of a phase
	filling int           // large events that filled the buffers of a stalled reader
	worst   time.Duration // longest time from a post to its arrival at all readers
}

func newDelays(t *testing.T, n, events int) *delays {
	t.Helper()
	p := e2e.Start(t, e2e.MetricsOn(t), "PROOF_RETAIN=2000")
	return &delays{p: p, readers: e2e.OpenReaders(t, p.Server, n, ""), events: events}
}

// withStalledReader is p99 with one more subscriber that reads nothing. It is stalled during the whole phase: the service counts it as
// lagging before, and has not disconnected it after.
func (d *delays) withStalledReader(t *testing.T) time.Duration {
	t.Helper()
	for range 10 {
		catchups, ended := d.p.Metric(t, "proofstream_catchups_total"), d.p.Metric(t, `proofstream_streams_ended_total{reason="slow"}`)
		conn := d.p.Stalled(t)
		for d.filling = 0; d.p.Metric(t, "proofstream_catchups_total") == catchups; d.filling += 10 {
			d.post(t, 10, strings.Repeat("\U0001F40C", 120))
		}
		p99 := d.measure(t)
		valid := d.p.Metric(t, `proofstream_streams_ended_total{reason="slow"}`) == ended && d.p.Metric(t, "proofstream_catchups_total") == catchups+1
		d.leave(t, conn)
		if valid {
			return p99
		}
		t.Log("the stalled reader was disconnected during the phase: repeating it")
	}
	t.Fatal("this machine is too slow for a phase within the 10 s that a stalled reader is kept")
	return 0
}

// p99 returns the 99th percentile of the delays of a phase, after as many large posts as in withStalledReader.
func (d *delays) p99(t *testing.T) time.Duration {
	t.Helper()
	d.post(t, d.filling, strings.Repeat("\U0001F40C", 120))
	return d.measure(t)
}

// leave disconnects the stalled reader and waits until it is not counted any more.
func (d *delays) leave(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.Close()
	waitfor.Until(t, waitfor.Patience, func() bool { return int(d.p.Metric(t, "proofstream_subscribers")) == len(d.readers.All) },
		func() string { return "the stalled reader has left and is still counted" })
}

// post posts n signups, each after all readers have the previous one, and returns when each was posted.
func (d *delays) post(t *testing.T, n int, name string) (posted []time.Time) {
	t.Helper()
	for i := range n {
		want := d.readers.Arrived.Load() + int64(len(d.readers.All))
		posted = append(posted, time.Now())
		d.p.Post(t, "user_name="+name, "offer_name="+name, "place="+name)
		for d.readers.Arrived.Load() < want {
			if time.Since(posted[i]) > waitfor.Patience {
				t.Fatalf("%d of %d have it", d.readers.Arrived.Load(), want)
			}
			time.Sleep(100 * time.Microsecond)
		}
		d.worst = max(d.worst, time.Since(posted[i]))
	}
	return posted
}

// measure posts the events of a phase and returns the 99th percentile of their delays at all readers.
func (d *delays) measure(t *testing.T) time.Duration {
	t.Helper()
	d.readers.Timed.Store(true)
	posted := d.post(t, d.events, "Ada")
	d.readers.Timed.Store(false)
	var all []time.Duration
	for _, m := range d.readers.All {
		m.Mu.Lock()
		for i, at := range m.Arrived {
			all = append(all, at.Sub(posted[i]))
		}
		m.Arrived = m.Arrived[:0]
		m.Mu.Unlock()
	}
	if len(all) != d.events*len(d.readers.All) {
		t.Fatalf("%d arrivals of %d events at %d readers", len(all), d.events, len(d.readers.All))
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}
