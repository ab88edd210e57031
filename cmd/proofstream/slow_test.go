package main

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// metric returns a number that the program tells, the sum over all labels if the name has none.
func (p *program) metric(t testing.TB, address, name string) (sum float64) {
	t.Helper()
	ops := &program{url: "http://" + address}
	text := ops.get(t, "/metrics").body
	for _, m := range regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(name)+`(?:\{[^}]*\})? (\S+)$`).FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// A burst of posts, far more than channels hold, ends nobody who reads, however slowly, and loses nothing.
func TestBurstEndsNobodyWhoReads(t *testing.T) {
	readers, posts := scaled(200, 5000), 1000
	descriptors(t, readers+500)
	metrics := freeAddress(t)
	p := start(t, "PROOF_RETAIN=4000", "PROOF_BUFFER=4", "PROOF_METRICS_ADDR="+metrics)
	c := gather(t, p, readers, "")
	for _, m := range c.all[:readers/4] {
		m.slow(50 * time.Millisecond)
	}
	want := p.burst(t, posts)
	c.await(t, posts, time.Duration(scaled(60, 600))*time.Second)
	if left := c.left.Load(); int(left) != readers {
		t.Errorf("%d of %d streams are open", left, readers)
	}
	c.audit(t, want)
	if caught := p.metric(t, metrics, "proofstream_catchups_total"); caught == 0 {
		t.Error("nobody fell behind: this was no burst, or catching up is not counted")
	}
}

// Who is far behind gets everything in one connection while posts go on.
func TestFarBehindConverges(t *testing.T) {
	n := scaled(2000, 10_000)
	p := start(t, "PROOF_RETAIN=100000")
	first := p.listen(t, "").ready(t).id
	want := p.burst(t, n)
	stop, stopped := make(chan struct{}), make(chan []string)
	go func() {
		var live []string
		for i := 0; ; i++ {
			select {
			case <-stop:
				stopped <- live
				return
			default:
				if id, err := p.tryPost("", fmt.Sprintf("user_name=live %d", i)); err == nil {
					live = append(live, id)
				}
			}
		}
	}()
	c := gather(t, p, 10, "?last_event_id="+first)
	c.await(t, n, 2*patience)
	close(stop)
	want = append(want, <-stopped...)
	c.await(t, len(want), 2*patience)
	c.audit(t, want)
	if left := int(c.left.Load()); left != 10 {
		t.Errorf("%d of 10 streams are open", left)
	}
}

// One that reads nothing is let go within 10 to 15 s of its last byte, the others get everything meanwhile, and it leaves
// nothing behind.
func TestStuckReaderCostsOnlyItself(t *testing.T) {
	t.Parallel()
	metrics := freeAddress(t)
	p := start(t, "PROOF_METRICS_ADDR="+metrics, "PROOF_RETAIN=10000", "PROOF_HEARTBEAT=1s")
	c := gather(t, p, 50, "")
	before := p.files(t, metrics)
	for range 10 {
		stuck(t, p)
	}
	began := time.Now()
	p.burst(t, 1000) // more than the kernel holds for them
	posting := time.Since(began)
	c.await(t, 1000, 2*patience)
	until(t, 15*time.Second+patience, func() bool { return p.metric(t, metrics, `proofstream_streams_ended_total{reason="slow"}`) == 10 },
		func() string {
			return fmt.Sprint(p.metric(t, metrics, `proofstream_streams_ended_total{reason="slow"}`), " of 10 were let go")
		})
	if took := time.Since(began); took < 10*time.Second || took > posting+17*time.Second {
		t.Errorf("they were let go after %v of which %v went by posting, want 10 to 15 s after their last byte", took, posting)
	}
	until(t, patience, func() bool { return p.files(t, metrics) <= before+1 }, func() string {
		return fmt.Sprintf("%v descriptors, %v before", p.files(t, metrics), before)
	})
	if left := c.left.Load(); left != 50 {
		t.Errorf("%d of 50 readers are left", left)
	}
}

// files returns the program's open descriptors, but for those of connections that only this test keeps.
func (p *program) files(t testing.TB, metrics string) float64 {
	t.Helper()
	client.CloseIdleConnections()
	return p.metric(t, metrics, "process_open_fds")
}
