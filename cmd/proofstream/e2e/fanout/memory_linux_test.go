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

// idleCost is what the README says that an idle subscriber takes, in bytes, and a seventh for other machines.
const idleCost = 5_500

// What an idle subscriber takes in memory is at most what is published, with a thousand of them and with ten thousand. The
// program is measured from outside, as it is shipped and with no collection asked for, as often as what it has from its
// start, which differs by a megabyte, can sway the median. The ordinary suite leaves it that megabyte.
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

// costOfIdle returns by how much a program grows for each of n idle subscribers. On a busy machine it may take longer to
// give back what their coming left, and to get down to most.
func costOfIdle(t *testing.T, n, most int) int {
	t.Helper()
	p := e2e.StartShipped(t)
	before := resident(t, p)
	conns := idle(t, p, n)
	time.Sleep(2 * time.Second) // the time that the published figure gives it
	each := (resident(t, p) - before) / n
	waitfor.Within(waitfor.Patience, func() bool { each = (resident(t, p) - before) / n; return each <= most })
	p.Kill()
	for _, conn := range conns {
		conn.Close()
	}
	return each
}

// resident returns the bytes of memory that the program occupies. The kernel's exact figure: VmRSS may lag by as
// much as a thousand subscribers take in all.
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

// idle opens n streams, reads the opening frame of each, and leaves them alone.
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

// idleOne opens a stream from one of many addresses and reads its opening frame.
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
