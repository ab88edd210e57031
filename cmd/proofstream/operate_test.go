package main

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// A key is replaced in two restarts, old to both to new, while a backend posts without a pause: it
// may have to try again, but never hears 401.
func TestKeysAreRotatedWithoutA401(t *testing.T) {
	const oldKey, newKey = "rotation-old-key-0123", "rotation-new-key-0123"
	p := start(t, "PROOF_API_KEYS="+oldKey)
	var (
		mu       sync.Mutex
		key      = oldKey
		posted   int
		stop     = make(chan struct{})
		backend  sync.WaitGroup
		inTurn   = func(f func()) { mu.Lock(); defer mu.Unlock(); f() }
		atLeast  = func(n int) bool { mu.Lock(); defer mu.Unlock(); return posted >= n }
		address  = p.url
		waitFor  = func(n int) { awaitFact(t, fmt.Sprintf("%d posts", n), func() bool { return atLeast(n) }) }
		restarts = func(keys string) { p.term(); p.wait(); p = p.restart("PROOF_API_KEYS=" + keys) }
	)
	backend.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			var now string
			inTurn(func() { now = key })
			_, _, err := postTo(address, now, fmt.Sprint("post-", n), "user_name=Ada")
			switch {
			case err == nil:
				inTurn(func() { posted++ })
			case errors.Is(err, errUnknown): // restarting: try again later
				time.Sleep(5 * time.Millisecond)
			default:
				t.Errorf("with %s: %v", now, err)
				return
			}
		}
	})
	defer backend.Wait()
	defer close(stop)
	waitFor(10)
	restarts(oldKey + "," + newKey)
	waitFor(20)
	inTurn(func() { key = newKey })
	var before int
	inTurn(func() { before = posted })
	waitFor(before + 10)
	restarts(newKey)
	inTurn(func() { before = posted })
	waitFor(before + 10)
	if _, _, err := postTo(p.url, oldKey, "", "user_name=Ada"); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("the old key after its end: %v, want 401", err)
	}
}

// awaitFact waits until something is true.
func awaitFact(t *testing.T, what string, fact func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !fact(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// With as many streams as descriptors allow, the rest of the service still answers: the default
// number of streams leaves a reserve.
func TestFullHouseLeavesDescriptorsForTheRest(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	ops := freeAddress(t)
	p := launchVia(t, []string{sh, "-c", `ulimit -n 400; exec "$0" "$@"`}, "PROOF_METRICS_ADDR="+ops)
	_, rest, _ := strings.Cut(p.awaitLog("msg=serving"), "url=")
	p.url, _, _ = strings.Cut(rest, " ")
	const house = 400 - 256
	for i := range house {
		conn := openRaw(t, p)
		if line := firstLine(t, conn, "event: "); line != "event: ready" {
			t.Fatalf("stream %d begins with %q", i+1, line)
		}
	}
	for range 50 { // a crowd at the door
		if line := firstLine(t, openRaw(t, p), "event: "); line != "event: busy" {
			t.Errorf("a stream beyond the house begins with %q, want busy", line)
		}
	}
	for path, at := range map[string]*program{"/live": p, "/ready": p, "/stats": p, "/metrics": {t: t, url: "http://" + ops}} {
		if got := at.get(t, path); got.status != 200 {
			t.Errorf("GET %s: %d", path, got.status)
		}
	}
	p.postMany(t, "Visitor", 20)
	if got := (&program{t: t, url: "http://" + ops}).get(t, "/metrics").body; !strings.Contains(got, fmt.Sprintf("\nproofstream_subscribers{site=\"default\"} %d\n", house)) ||
		!strings.Contains(got, "\nproofstream_streams_ended_total{reason=\"full\"} 50\n") {
		t.Errorf("the metrics tell otherwise:\n%s", got)
	}
}

// openRaw asks for a stream on a connection of its own.
func openRaw(t *testing.T, p *program) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprint(conn, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// firstLine reads until a line begins so.
func firstLine(t *testing.T, conn net.Conn, prefix string) string {
	t.Helper()
	var text []byte
	for b := make([]byte, 1024); ; {
		n, err := conn.Read(b)
		text = append(text, b[:n]...)
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, prefix) && strings.HasSuffix(line, "\n") {
				return strings.TrimRight(line, "\r\n")
			}
		}
		if err != nil {
			t.Fatalf("after %q: %v", text, err)
		}
	}
}
