package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// idleCost is what the README says that an idle subscriber takes, in bytes, rounded up.
const idleCost = 6_000

// What an idle subscriber takes in memory is at most what is published, with a thousand of them and with ten thousand. The
// program is measured from outside, as it is shipped and with no collection asked for. The ordinary suite leaves
// it a megabyte: it has more threads on other machines, and grows by as much in two minutes with nobody connected.
func TestIdleSubscriberTakesWhatIsPublished(t *testing.T) {
	slack := scaled(1<<20, 0)
	for _, n := range []int{1000, 10_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			descriptors(t, n+500)
			p := startShipped(t)
			before := p.resident(t)
			p.idle(t, n)
			atOnce := p.resident(t) - before
			time.Sleep(2 * time.Second) // the time that the published figure gives it
			until(t, patience, func() bool { return p.resident(t)-before <= n*idleCost+slack }, func() string {
				return fmt.Sprintf("%d bytes for each of %d idle subscribers, want %d", (p.resident(t)-before)/n, n, idleCost)
			})
			t.Logf("%d bytes for each of %d idle subscribers, %d at once", (p.resident(t)-before)/n, n, atOnce/n)
		})
	}
}

// resident returns the bytes of memory that the program occupies. The kernel's exact figure: VmRSS may lag behind by as
// much as a thousand subscribers take in all.
func (p *program) resident(t testing.TB) (bytes int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nRss:")
	if _, err := fmt.Sscan(rest, &bytes); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return bytes << 10
}

// idle opens n streams, reads the opening frame of each, and leaves them alone until the test ends.
func (p *program) idle(t testing.TB, n int) {
	t.Helper()
	var (
		conns   = make([]net.Conn, n)
		openers sync.WaitGroup
	)
	t.Cleanup(func() {
		for _, conn := range conns {
			if conn != nil {
				conn.Close()
			}
		}
	})
	for opener := range 64 {
		openers.Go(func() {
			for i := opener; i < n; i += 64 {
				var err error
				if conns[i], err = p.idleOne(i); err != nil {
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
}

// idleOne opens a stream from one of many addresses and reads its opening frame.
func (p *program) idleOne(i int) (net.Conn, error) {
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%200))}}
	conn, err := d.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprint(conn, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
	var got []byte
	for b := make([]byte, 2<<10); !bytes.Contains(got, []byte("\nid: ")); {
		n, err := conn.Read(b)
		if err != nil {
			return nil, err
		}
		got = append(got, b[:n]...)
	}
	return conn, nil
}
