package overload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// During posts at full speed, SIGTERM ends every stream after a whole frame, with busy and a delay, and without the final chunk. The
// process exits with status 0 within the grace time. Any one second has less than 3/grace of the reconnections.
func TestTermEndsEveryStreamAfterAWholeFrame(t *testing.T) {
	e2e.Slow(t)
	n := e2e.Scaled(600, 10_000)
	e2e.NeedDescriptors(t, n+500)
	p := e2e.Start(t, "PROOF_SHUTDOWN_GRACE=10s")
	c := e2e.OpenReaders(t, p.Server, n, "")
	acknowledged := postUntilRefused(p)
	c.Await(t, 3, waitfor.Patience)
	termed := time.Now()
	p.Term()
	c.Ended(t, 10*time.Second+waitfor.Patience)
	if status := p.Wait(); status != 0 {
		t.Errorf("got status %d", status)
	}
	if took := time.Since(termed); took > 11*time.Second {
		t.Errorf("the process ended after %v, want 10 s at most", took)
	}
	posted := <-acknowledged
	reconnects := checkEnds(t, c, termed, posted)
	most, from := busiestSecond(reconnects)
	if most*10 >= n*3 { // 3/grace of all
		t.Errorf("%d of %d browsers reconnect within the second after %v, want less than three tenths", most, n, from)
	}
	t.Logf("%d streams, %d posts; most reconnect within a second: %d, from %v on", n, len(posted), most, from)
}

// postUntilRefused posts at full speed until a post fails, and then sends the acknowledged ids.
func postUntilRefused(p *e2e.Program) <-chan []string {
	acknowledged := make(chan []string, 1)
	go func() {
		var ids []string
		for i := 0; ; i++ {
			id, err := p.TryPost("", fmt.Sprintf("user_name=%d", i))
			if err != nil { // the listener is closed
				acknowledged <- ids
				return
			}
			ids = append(ids, id)
		}
	}()
	return acknowledged
}

// checkEnds checks how each stream ended, and returns when its browser reconnects after SIGTERM, if it waits for the delay.
func checkEnds(t *testing.T, c *e2e.Readers, termed time.Time, posted []string) (reconnects []time.Duration) {
	t.Helper()
	for i, r := range c.All {
		if r.InFrame || r.Kinds["busy"] != 1 || !errors.Is(r.Err, io.ErrUnexpectedEOF) {
			t.Fatalf("stream %d: got events %v, end %v, in the middle of a frame %v", i, r.Kinds, r.Err, r.InFrame)
		}
		if r.Retry < time.Second || r.Retry > 10*time.Second {
			t.Errorf("stream %d: got retry %v", i, r.Retry)
		}
		if d := e2e.Difference(r.IDs, posted[:min(len(r.IDs), len(posted))]); d != "" && len(r.IDs) <= len(posted) {
			t.Errorf("stream %d: %s", i, d)
		}
		reconnects = append(reconnects, r.EndAt.Sub(termed)+r.Retry)
	}
	return reconnects
}

// busiestSecond returns the largest number of moments within one second, and the start of that second. It sorts the moments.
func busiestSecond(at []time.Duration) (most int, from time.Duration) {
	slices.Sort(at)
	first := 0
	for i := range at {
		for at[i]-at[first] >= time.Second {
			first++
		}
		if i-first+1 > most {
			most, from = i-first+1, at[first]
		}
	}
	return most, from
}

// After SIGTERM the status of /ready is 503 before the listener closes, with few streams too, and a started post succeeds.
func TestReadyFailsBeforeTheListenerCloses(t *testing.T) {
	t.Parallel() // most of the time it waits
	for _, streams := range []int{0, 1, 1000} {
		t.Run(fmt.Sprint(streams), func(t *testing.T) {
			t.Parallel()
			checkReadyFailsFirst(t, streams)
		})
	}
}

func checkReadyFailsFirst(t *testing.T, streams int) {
	p := e2e.Start(t, "PROOF_SHUTDOWN_GRACE=10s")
	e2e.OpenReaders(t, p.Server, streams, "")
	inFlight := startPost(t, p, `{"user_name":"in flight"}`)
	var last atomic.Value
	last.Store("")
	var statuses []string
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		fresh := &http.Client{Timeout: waitfor.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
		for {
			got := "closed"
			if resp, err := fresh.Get(p.URL + "/ready"); err == nil {
				b, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				got = fmt.Sprint(resp.StatusCode, " ", string(b))
			}
			if len(statuses) == 0 || statuses[len(statuses)-1] != got {
				statuses = append(statuses, got)
				last.Store(got)
			}
			if got == "closed" {
				return
			}
		}
	}()
	waitfor.Until(t, waitfor.Patience, func() bool { return last.Load() == "200 ready" }, func() string { return fmt.Sprint(last.Load()) })
	p.Term()
	waitfor.Until(t, waitfor.Patience, func() bool { return last.Load() != "200 ready" }, func() string { return fmt.Sprint(last.Load()) })
	if a := inFlight(t); a.Status != 200 {
		t.Errorf("a post in flight: got %d %s", a.Status, a.Body)
	}
	<-closed
	if got := strings.Join(statuses, ", "); got != "200 ready, 503 draining, closed" {
		t.Errorf("got %s, want first ready, then draining, then closed", got)
	}
	if status := p.Wait(); status != 0 {
		t.Errorf("got status %d", status)
	}
	p = p.Restart()
	if a := p.Get(t, "/recent"); !strings.Contains(a.Body, "in flight") {
		t.Errorf("the post in flight got 200 and is not in /recent: %s", a.Body)
	}
}

// startPost sends a post except the last byte of its body. finish sends that byte and returns the response.
func startPost(t *testing.T, p *e2e.Program, body string) (finish func(t *testing.T) e2e.Response) {
	t.Helper()
	conn := p.Raw(t, fmt.Sprintf("POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-API-Key: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		p.Key, len(body)))
	lines := bufio.NewReader(conn)
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "100") { // the program waits for the body now
		t.Fatalf("got %q, %v", line, err)
	}
	lines.ReadString('\n')
	io.WriteString(conn, body[:len(body)-1])
	return func(t *testing.T) e2e.Response {
		t.Helper()
		io.WriteString(conn, body[len(body)-1:])
		resp, err := http.ReadResponse(lines, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		return e2e.Response{Status: resp.StatusCode, Header: resp.Header, Body: string(b), Proto: resp.ProtoMajor}
	}
}

// A second SIGTERM ends the process without waiting for started posts.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	p := e2e.Start(t, "PROOF_SHUTDOWN_GRACE=1h")
	startPost(t, p, `{"user_name":"never finished"}`)
	p.Term()
	p.AwaitLog("stopping")
	waitfor.Until(t, waitfor.Patience, func() bool {
		p.Term()
		select {
		case <-p.Exited:
			return true
		default:
			return false
		}
	}, func() string { return p.Stderr.String() })
}

// A stalled reader delays the end of the process by at most the grace time. The listener stays open until then.
func TestStalledStreamDoesNotOutlastTheGraceTime(t *testing.T) {
	p := e2e.Start(t, "PROOF_SHUTDOWN_GRACE=2s", "PROOF_RETAIN=5000")
	p.Stalled(t)
	p.Burst(t, 500)
	began := time.Now()
	p.Term()
	waitfor.Until(t, waitfor.Patience, func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, func() string { return "the listener is still open" })
	if took := time.Since(began); took < time.Second {
		t.Errorf("the listener closed after %v, with a stream open", took)
	}
	if status := p.Wait(); status != 0 || time.Since(began) > 10*time.Second { // 2 s, and time for a busy machine
		t.Errorf("got status %d after %v", status, time.Since(began))
	}
}
