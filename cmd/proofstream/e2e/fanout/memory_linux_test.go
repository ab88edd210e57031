package fanout

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/ssetest"
	"proofstream/stream/waitfor"
)

// idleCost is the most bytes that an idle subscriber may take. It is a fifth more than the README says, for other machines.
const idleCost = 1_600

// An idle subscriber takes at most idleCost, with 1,000 and with 10,000 subscribers. The resident memory of the released program is
// measured from outside, without a forced garbage collection. Its memory after the start varies by a megabyte, so the median of several
// programs counts. The ordinary suite starts fewer, and allows a megabyte in all.
func TestIdleSubscriberTakesWhatIsPublished(t *testing.T) {
	e2e.Slow(t)
	slack := e2e.Scaled(1<<20, 0)
	for _, c := range []struct{ n, rounds int }{{1000, e2e.Scaled(3, 9)}, {10_000, e2e.Scaled(1, 3)}} {
		e2e.NeedDescriptors(t, c.n+500)
		var each []int
		most := idleCost + slack/c.n
		for range c.rounds {
			each = append(each, costOfIdle(t, c.n, most))
		}
		slices.Sort(each)
		t.Logf("bytes for each of %d idle subscribers: %d", c.n, each)
		if got := each[c.rounds/2]; got > most {
			t.Errorf("%d bytes for each of %d idle subscribers, want at most %d", got, c.n, idleCost)
		}
	}
}

// costOfIdle returns how many bytes a program grows by for each of n idle subscribers. It waits up to waitfor.Patience for the program
// to release memory until the growth is at most most.
func costOfIdle(t *testing.T, n, most int) int {
	t.Helper()
	p := e2e.StartShipped(t, "PROOF_HEARTBEAT=1s")
	before := resident(t, p)
	conns := idle(t, p, n)
	time.Sleep(3 * time.Second) // each has had a heartbeat
	each := (resident(t, p) - before) / n
	waitfor.Within(waitfor.Patience, func() bool { each = (resident(t, p) - before) / n; return each <= most })
	p.Kill()
	for _, conn := range conns {
		conn.Close()
	}
	return each
}

// resident returns the resident memory of the program in bytes. smaps_rollup is exact; VmRSS can be off by as much as 1,000 subscribers
// take.
func resident(t testing.TB, p *e2e.Program) (bytes int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nRss:")
	if _, err := fmt.Sscan(rest, &bytes); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return bytes << 10
}

// idle opens n streams, 64 at a time, and reads the ready event of each.
func idle(t testing.TB, p *e2e.Program, n int) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	var openers sync.WaitGroup
	for opener := range 64 {
		openers.Go(func() {
			for i := opener; i < n; i += 64 {
				var err error
				if conns[i], err = idleOne(p, i); err != nil {
					t.Errorf("stream %d: %v", i, err)
					return
				}
			}
		})
	}
	openers.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return conns
}

// idleOne opens a stream from one of 200 loopback addresses and reads its ready event.
func idleOne(p *e2e.Program, i int) (net.Conn, error) {
	conn, err := p.DialRaw(net.IPv4(127, 0, 0, byte(2+i%200)), e2e.StreamRequest(""))
	if err != nil {
		return nil, err
	}
	if _, err := ssetest.NewReader(conn, "").Next(); err != nil {
		return nil, err
	}
	return conn, nil
}
