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

// While backends post at full speed, SIGTERM ends many streams: each after a whole frame and with a delay before
// reconnecting, without the final chunk, and the process with status 0 within the grace time. The reconnections are
// spread too: the busiest second, wherever it begins, has less than 3/grace of them.
func TestTermEndsEveryStreamAfterAWholeFrame(t *testing.T) {
	e2e.Slow(t)
	n := e2e.Scaled(600, 10_000)
	e2e.NeedDescriptors(t, n+500)
	p := e2e.Start(t, "PROOF_SHUTDOWN_GRACE=10s")
	c := e2e.OpenReaders(t, p.Server, n, "")
	stop, stopped := make(chan struct{}), make(chan struct{})
	var acknowledged []string
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			id, err := p.TryPost("", fmt.Sprintf("user_name=%d", i))
			if err != nil {
				return // the listener is closed
			}
			acknowledged = append(acknowledged, id)
		}
	}()
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
	close(stop)
	<-stopped
	var returns []time.Duration // after the signal, of browsers that wait as long as retry says
	for i, r := range c.All {
		if r.InFrame || r.Kinds["busy"] != 1 || !errors.Is(r.Err, io.ErrUnexpectedEOF) {
			t.Fatalf("stream %d: got %v and end %v within a frame: %v", i, r.Kinds, r.Err, r.InFrame)
		}
		if r.Retry < time.Second || r.Retry > 10*time.Second {
			t.Errorf("stream %d: got retry %v", i, r.Retry)
		}
		if d := e2e.Difference(r.IDs, acknowledged[:min(len(r.IDs), len(acknowledged))]); d != "" && len(r.IDs) <= len(acknowledged) {
			t.Errorf("stream %d: %s", i, d)
		}
		returns = append(returns, r.EndAt.Sub(termed)+r.Retry)
	}
	most, from := busiestSecond(returns)
	if most*10 >= n*3 { // 3/grace of all
		t.Errorf("%d of %d browsers reconnect within the second after %v, want less than three tenths", most, n, from)
	}
	t.Logf("%d streams, %d posts; most reconnect within a second: %d, from %v on", n, len(acknowledged), most, from)
}

// busiestSecond returns how many of some moments lie within the second that holds most of them, wherever that begins.
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

// Load balancers ask /ready: it answers 503 before the listener is closed, however few streams there are, while open posts go
// on.
func TestReadyFailsBeforeTheListenerCloses(t *testing.T) {
	for _, streams := range []int{0, 1, 1000} {
		t.Run(fmt.Sprint(streams), func(t *testing.T) { checkReadyFailsFirst(t, streams) })
	}
}

func checkReadyFailsFirst(t *testing.T, streams int) {
	p := e2e.Start(t, "PROOF_SHUTDOWN_GRACE=10s")
	e2e.OpenReaders(t, p.Server, streams, "")
	inFlight := beginPost(t, p, `{"user_name":"in flight"}`)
	var last atomic.Value
	last.Store("")
	var answers []string
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
			if len(answers) == 0 || answers[len(answers)-1] != got {
				answers = append(answers, got)
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
	if got := strings.Join(answers, ", "); got != "200 ready, 503 draining, closed" {
		t.Errorf("got %s", got)
	}
	if status := p.Wait(); status != 0 {
		t.Errorf("got status %d", status)
	}
	p = p.Restart()
	if a := p.Get(t, "/recent"); !strings.Contains(a.Body, "in flight") {
		t.Errorf("the post in flight was answered 200, but: %s", a.Body)
	}
}

// beginPost sends a post except the last byte of its body. The returned function sends that, and returns the answer.
func beginPost(t *testing.T, p *e2e.Program, body string) (finish func(t *testing.T) e2e.Answer) {
	t.Helper()
	conn := p.Raw(t, fmt.Sprintf("POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-API-Key: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		p.Key, len(body)))
	lines := bufio.NewReader(conn)
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "100") { // it waits for the body now
		t.Fatalf("got %q, %v", line, err)
	}
	lines.ReadString('\n')
	io.WriteString(conn, body[:len(body)-1])
	return func(t *testing.T) e2e.Answer {
		t.Helper()
		io.WriteString(conn, body[len(body)-1:])
		resp, err := http.ReadResponse(lines, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		return e2e.Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(b), Proto: resp.ProtoMajor}
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	p := e2e.Start(t, "PROOF_SHUTDOWN_GRACE=1h")
	beginPost(t, p, `{"user_name":"never finished"}`)
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

// A stalled reader cannot delay the end beyond the grace time. Until then the listener answers.
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
	}, func() string { return "it still listens" })
	if took := time.Since(began); took < time.Second {
		t.Errorf("it stopped listening after %v, with a stream open", took)
	}
	if status := p.Wait(); status != 0 || time.Since(began) > 10*time.Second { // 2 s, and what a busy machine adds
		t.Errorf("got status %d after %v", status, time.Since(began))
	}
}
