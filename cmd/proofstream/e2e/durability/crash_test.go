package durability

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/ssetest"
)

// The process is killed at random instants under load, 10 times, or 200 times with PROOF_TEST_LONG=1. Every acknowledged signup is in
// the log exactly once, every other one at most once, and each subscriber has received the whole log.
func TestKilledAtRandomInstants(t *testing.T) {
	e2e.Slow(t)
	rounds := e2e.Scaled(6, 200)
	p := e2e.Start(t, "PROOF_RETAIN=1000000", "PROOF_RETRY=10ms")
	first := p.Listen(t, "").Ready(t).ID
	var sources []*e2e.Source
	for range 5 {
		sources = append(sources, p.Follow(t, ""))
	}
	o := outcomes{ids: map[string]string{}}
	for round := range rounds {
		var posting sync.WaitGroup
		stop := make(chan struct{})
		for worker := range 4 {
			posting.Go(func() { o.post(t, p, stop, fmt.Sprintf("round %d worker %d", round, worker)) })
		}
		time.Sleep(time.Duration(rand.IntN(150_000)) * time.Microsecond) // the random instant
		p.Kill()
		close(stop)
		posting.Wait()
		p = p.Restart()
	}
	last := p.Post(t, "user_name=last")
	stored := p.SignupsUpTo(t, first, last)
	acknowledged := o.check(t, stored)
	got := e2e.Audit(t, sources, e2e.IDs(stored), last)
	t.Logf("%d kills; %d acknowledged, %d unknown, %d in the log; %d subscribers: repeated %d, lost %d, gaps %d",
		rounds, acknowledged, len(o.ids)-acknowledged, len(stored), len(sources), got.Repeated, got.Lost, got.Gaps)
	if got.Repeated+got.Lost+got.Gaps > 0 {
		t.Error("the subscribers did not receive exactly the log")
	}
	if acknowledged < rounds {
		t.Errorf("%d posts were acknowledged, want at least %d to prove anything", acknowledged, rounds)
	}
}

// outcomes records the result of each post.
type outcomes struct {
	mu  sync.Mutex        // guards ids
	ids map[string]string // id by user name, "" when the outcome is unknown
}

// post posts signups, one after the other, until stop is closed or the process is killed.
func (o *outcomes) post(t *testing.T, p *e2e.Program, stop <-chan struct{}, prefix string) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		name := fmt.Sprintf("%s post %d", prefix, i)
		id, err := p.TryPost("", "user_name="+name)
		if err != nil && !errors.Is(err, e2e.ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
		o.mu.Lock()
		o.ids[name] = id
		o.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// check compares the outcomes with the log, whose last signup is named last, and returns how many posts were acknowledged.
func (o *outcomes) check(t *testing.T, log []ssetest.Event) (acknowledged int) {
	t.Helper()
	times := map[string]int{}
	for _, e := range log {
		name := e.Field("user_name")
		times[name]++
		if id, posted := o.ids[name]; name != "last" && (!posted || id != "" && id != e.ID) {
			t.Errorf("%s has id %s in the log, and its post got %q", name, e.ID, id)
		}
	}
	for name, id := range o.ids {
		if id != "" {
			acknowledged++
		}
		if n := times[name]; id != "" && n != 1 || n > 1 {
			t.Errorf("%s, whose post got %q, is in the log %d times", name, id, n)
		}
	}
	return acknowledged
}

// A retry with an idempotency key after a kill or a restart returns the id of the first post and stores nothing.
func TestIdempotencyKeysSurviveKillAndRestart(t *testing.T) {
	p := e2e.Start(t)
	first, duplicate, err := p.PostKeyed("order 1", "user_name=Ada")
	if err != nil || duplicate {
		t.Fatalf("got %v, duplicate %v", err, duplicate)
	}
	for _, end := range []func(){p.Kill, func() { p.Stop() }} {
		end()
		p = p.Restart()
		again, duplicate, err := p.PostKeyed("order 1", "user_name=Bob")
		if err != nil || !duplicate || again != first {
			t.Errorf("got %s, duplicate %v, %v; want %s again", again, duplicate, err, first)
		}
	}
	if a := p.Get(t, "/stats"); !strings.Contains(a.Body, `"events":1}`) {
		t.Errorf("got %s, want one event", a.Body)
	}
}

// A backend that disconnects before the response does not know the outcome. A retry with the same key resolves it: the signup is in
// the log once.
func TestUnknownOutcomeIsResolvedByTheKey(t *testing.T) {
	p := e2e.Start(t)
	first := p.Listen(t, "").Ready(t).ID
	var want []string
	for i := range 60 {
		name := fmt.Sprintf("order %d", i)
		body := `{"user_name":"` + name + `"}`
		conn := p.Raw(t, fmt.Sprintf("POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-API-Key: %s\r\nIdempotency-Key: %s\r\nContent-Length: %d\r\n\r\n%s",
			p.Key, name, len(body), body))
		switch i % 3 {
		case 0: // a reset
			conn.SetLinger(0)
		case 1: // half closed, and the first byte of the response read
			conn.CloseWrite()
			io.CopyN(io.Discard, conn, 1)
		}
		conn.Close()
		id, _, err := p.PostKeyed(name, "user_name="+name)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, id)
	}
	if got := e2e.IDs(p.SignupsUpTo(t, first, want[len(want)-1])); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
