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
)

// The process is killed at random instants under load, 10 times, and 200 with PROOF_TEST_LONG=1. What was
// acknowledged is in the log exactly once, what was not is there once or never, and each subscriber has received
// the whole log.
func TestKilledAtRandomInstants(t *testing.T) {
	e2e.Slow(t)
	rounds := e2e.Scaled(10, 200)
	p := e2e.Start(t, "PROOF_RETAIN=1000000", "PROOF_RETRY=10ms")
	first := p.Listen(t, "").Ready(t).ID
	var sources []*e2e.Source
	for range 5 {
		sources = append(sources, p.Follow(t, ""))
	}
	var (
		mu      sync.Mutex
		outcome = map[string]string{} // id by name, "" for an unknown one
	)
	for round := range rounds {
		var posting sync.WaitGroup
		halt := make(chan struct{})
		for worker := range 4 {
			posting.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-halt:
						return
					default:
					}
					name := fmt.Sprintf("round %d worker %d post %d", round, worker, i)
					id, err := p.TryPost("", "user_name="+name)
					if err != nil && !errors.Is(err, e2e.ErrUnknown) {
						t.Errorf("%s: %v", name, err)
					}
					mu.Lock()
					outcome[name] = id
					mu.Unlock()
					if err != nil {
						return // the process is gone
					}
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(150_000)) * time.Microsecond) // the random instant
		p.Kill()
		close(halt)
		posting.Wait()
		p = p.Restart()
	}
	last := p.Post(t, "user_name=last")
	stored := p.SignupsUpTo(t, first, last)
	times := map[string]int{}
	for _, e := range stored {
		name := e.Field("user_name")
		times[name]++
		if id, posted := outcome[name]; name != "last" && (!posted || id != "" && id != e.ID) {
			t.Errorf("%s is in the log as %s, its post was answered %q", name, e.ID, id)
		}
	}
	acknowledged, unknown := 0, 0
	for name, id := range outcome {
		if id != "" {
			acknowledged++
		} else {
			unknown++
		}
		if n := times[name]; id != "" && n != 1 || n > 1 {
			t.Errorf("%s, answered %q, is in the log %d times", name, id, n)
		}
	}
	got := e2e.Audit(t, sources, e2e.IDs(stored), last)
	t.Logf("%d kills; %d acknowledged, %d unknown, %d in the log; %d subscribers: repeated %d, lost %d, gaps %d",
		rounds, acknowledged, unknown, len(stored), len(sources), got.Repeated, got.Lost, got.Gaps)
	if got.Repeated+got.Lost+got.Gaps > 0 || acknowledged < rounds {
		t.Error("subscribers and log differ, or nothing was going on")
	}
}

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

// A backend that disconnects before it has the answer does not know the outcome. The same key settles it: the signup is
// in the log once.
func TestUnknownOutcomeIsSettledByTheKey(t *testing.T) {
	p := e2e.Start(t)
	first := p.Listen(t, "").Ready(t).ID
	var want []string
	for i := range 60 {
		name := fmt.Sprintf("order %d", i)
		body := `{"user_name":"` + name + `"}`
		conn := p.Raw(t, fmt.Sprintf("POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-API-Key: %s\r\nIdempotency-Key: %s\r\nContent-Length: %d\r\n\r\n%s",
			p.Key, name, len(body), body))
		switch i % 3 {
		case 0:
			conn.SetLinger(0)
		case 1:
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
