package fanout

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// A subscriber whose network drops all packets without an error is freed within a minute, by heartbeats alone. The subscriber is in a
// network namespace that gets a blackhole route to the program.
func TestVanishedSubscriberIsFreed(t *testing.T) {
	e2e.Slow(t)
	t.Parallel()
	e2e.Need(t, "ip")
	space := fmt.Sprintf("proof%d", os.Getpid())
	n := os.Getpid() % (1 << 15) // two runs on one machine use different addresses; 198.18.0.0/15 is for tests: RFC 2544, section C.2.2
	subnet := fmt.Sprintf("198.%d.%d.", 18+n>>14, n>>6&255)
	here, there := subnet+fmt.Sprint(n&63*4+1), subnet+fmt.Sprint(n&63*4+2)
	if out, err := exec.Command("ip", "netns", "add", space).CombinedOutput(); err != nil {
		t.Skipf("no network namespace may be made here, run as root: %s", out)
	}
	t.Cleanup(func() { ip(t, "netns del "+space) }) // deletes the pair of links too
	ip(t, "link add "+space+"a type veth peer name "+space+"b netns "+space)
	ip(t, "addr add "+here+"/30 dev "+space+"a")
	ip(t, "link set "+space+"a up")
	ip(t, "-n "+space+" addr add "+there+"/30 dev "+space+"b")
	ip(t, "-n "+space+" link set "+space+"b up")

	heartbeat := time.Duration(e2e.Scaled(5, 15)) * time.Second
	p := e2e.Start(t, "PROOF_ADDR="+here+":0", e2e.MetricsOn(t), "PROOF_HEARTBEAT="+heartbeat.String())
	for range 3 {
		conn := dialIn(t, space, strings.TrimPrefix(p.URL, "http://"))
		fmt.Fprint(conn, e2e.StreamRequest(""))
		if _, err := conn.Read(make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
	}
	descriptors := p.Descriptors(t)
	ip(t, "-n "+space+" route add blackhole "+here)
	ip(t, "-n "+space+" route flush cache")
	began := time.Now()
	waitfor.Until(t, time.Minute, func() bool { return p.Metric(t, "proofstream_subscribers") == 0 },
		func() string {
			return fmt.Sprint(p.Metric(t, "proofstream_subscribers"), " subscribers")
		})
	t.Logf("freed after %v, with a heartbeat every %v", time.Since(began).Round(time.Second), heartbeat)
	if dead := p.Metric(t, `proofstream_streams_ended_total{reason="dead"}`); dead != 3 {
		t.Errorf("%v streams are counted as dead, want 3", dead)
	}
	waitfor.Until(t, waitfor.Patience, func() bool { return p.Descriptors(t) <= descriptors-3+1 }, func() string {
		return fmt.Sprintf("%v descriptors, %v with them", p.Descriptors(t), descriptors)
	})
}

// ip runs the command ip with arguments.
func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %s", args, out)
	}
}

// dialIn connects from within a network namespace. Its thread leaves the namespace again before other goroutines use it. If the thread
// ended instead, the kernel would kill the programs that it started: see e2e.DieWithUs.
func dialIn(t *testing.T, space, addr string) (conn net.Conn) {
	t.Helper()
	home, there := openFile(t, "/proc/thread-self/ns/net"), openFile(t, "/var/run/netns/"+space)
	runtime.LockOSThread()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", addr, waitfor.Patience)
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		t.Fatal(err) // the thread stays locked, so that no other goroutine runs in the namespace
	}
	runtime.UnlockOSThread()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func openFile(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
