package resume

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
)

// TestChaos checks all promises of delivery together. Backends post and retry, a faulty network cuts, resets, delays and throttles
// every connection, and the program is killed or stopped, and restarted, again and again. In the end each acknowledged signup is in
// the log once, and each subscriber has received everything after its first cursor in order, once.
//
// It takes 12 seconds, and five minutes with PROOF_TEST_LONG=1.
func TestChaos(t *testing.T) {
	e2e.Slow(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	p := e2e.Start(t, "PROOF_RETAIN=1000000", "PROOF_RETRY=20ms", "PROOF_HEARTBEAT=100ms", "PROOF_BUFFER=16", "PROOF_SHUTDOWN_GRACE=1s")
	first := p.Listen(t, "").Ready(t).ID
	network := startFaultyNetwork(t, strings.TrimPrefix(p.URL, "http://"), seed)
	var sources []*e2e.Source
	for range e2e.Scaled(40, 200) {
		s := e2e.Server{URL: network.url}.Source("")
		s.Start(t, true)
		sources = append(sources, s)
	}
	posts := e2e.StartLoad(t, e2e.Server{URL: network.url, Key: e2e.TestKey}, 0, 4, 0)
	p, kills, stops := restartAtRandom(p, rand.New(rand.NewPCG(seed, 1)), time.Duration(e2e.Scaled(8, 300))*time.Second)
	network.faultless.Store(true)
	posts.Stop()
	last := p.Post(t, "user_name=last")

	log := e2e.IDs(p.SignupsUpTo(t, first, last))
	got := e2e.Audit(t, sources, log, last)
	checkStoredOnce(t, log, posts.ByKey)
	t.Logf("published %d, received %d by %d subscribers, repeated %d, lost %d, gaps %d; %d resumes were complete, %d of them wrongly",
		len(log), got.Received, len(sources), got.Repeated, got.Lost, got.Gaps, got.Complete, got.Broken)
	t.Logf("%d kills, %d stops, %d connections cut, %d reset, %d refused, %d throttled, %d streams opened, %d posts retried",
		kills, stops, network.cuts.Load(), network.resets.Load(), network.refusals.Load(), network.throttled.Load(), got.Streams, posts.Tries)
	if got.Lost > 0 || got.Repeated > 0 || got.Gaps > 0 {
		t.Error("lost, repeated and gaps must be 0: the retention keeps everything")
	}
	if got.Broken > 0 || got.Complete == 0 {
		t.Error("a complete resume must bring everything after its cursor")
	}
	if len(posts.ByKey) == 0 || got.Streams < 3*len(sources) || kills == 0 || network.cuts.Load()+network.resets.Load() == 0 {
		t.Error("too few faults to prove anything")
	}
}

// restartAtRandom kills or stops the program at random moments and restarts it, for a time. It returns the running program.
func restartAtRandom(p *e2e.Program, rng *rand.Rand, length time.Duration) (running *e2e.Program, kills, stops int) {
	for end := time.Now().Add(length); time.Now().Before(end); {
		time.Sleep(time.Duration(300+rng.IntN(1500)) * time.Millisecond) // the time between faults
		if rng.IntN(3) > 0 {
			kills++
			p.Kill()
		} else {
			stops++
			p.Stop()
		}
		p = p.Restart()
	}
	return p, kills, stops
}

// checkStoredOnce checks that the log has one signup for each idempotency key, and one more at its end.
func checkStoredOnce(t *testing.T, log []string, byKey map[string]string) {
	t.Helper()
	stored := map[string]int{}
	for _, id := range log {
		stored[id]++
	}
	for key, id := range byKey {
		if stored[id] != 1 {
			t.Errorf("%s was acknowledged as %s, which is in the log %d times", key, id, stored[id])
		}
	}
	if got, want := len(log)-1, len(byKey); got != want {
		t.Errorf("%d signups are in the log, want one for each of %d keys", got, want)
	}
}
