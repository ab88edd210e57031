package resume

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
)

// TestChaos is the sum of all promises of delivery: while backends post and retry, a bad network cuts, resets, delays
// and throttles every stream, and the server is killed with SIGKILL or SIGTERM, and started again, over and
// over. In the end each subscriber's receptions are compared with the log: everything acknowledged is in the log
// once, and whatever is in the log after a subscriber's first cursor has come to it in order, once.
//
// It takes seconds; with PROOF_TEST_LONG=1 five minutes.
func TestChaos(t *testing.T) {
	e2e.Slow(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	lasts := time.Duration(e2e.Scaled(12, 300)) * time.Second
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

	kills, terms := 0, 0
	rng := rand.New(rand.NewPCG(seed, 1))
	for end := time.Now().Add(lasts); time.Now().Before(end); {
		time.Sleep(time.Duration(300+rng.IntN(1500)) * time.Millisecond) // the time between crashes
		if rng.IntN(3) > 0 {
			kills++
			p.Kill()
		} else {
			terms++
			p.Stop()
		}
		p = p.Restart()
	}
	network.faultless.Store(true)
	posts.End()
	acknowledged := posts.ByKey
	last := p.Post(t, "user_name=last")

	log := e2e.IDs(p.SignupsUpTo(t, first, last))
	got := e2e.Audit(t, sources, log, last)
	stored := map[string]int{}
	for _, id := range log {
		stored[id]++
	}
	for key, id := range acknowledged {
		if stored[id] != 1 {
			t.Errorf("%s was acknowledged as %s, which is in the log %d times", key, id, stored[id])
		}
	}
	if len(log)-1 != len(acknowledged) { // every key was retried until it was acknowledged
		t.Errorf("%d keys were acknowledged, and %d signups are in the log", len(acknowledged), len(log)-1)
	}
	t.Logf("published %d, received %d by %d subscribers, repeated %d, lost %d, gaps %d; %d resumes were complete, %d of them wrongly",
		len(log), got.Received, len(sources), got.Repeated, got.Lost, got.Gaps, got.Complete, got.Broken)
	t.Logf("%d kills, %d stops, %d connections cut, %d reset, %d refused, %d throttled, %d streams begun, %d posts retried",
		kills, terms, network.cuts.Load(), network.resets.Load(), network.refusals.Load(), network.throttled.Load(), got.Begun, posts.Tries)
	if got.Lost > 0 || got.Repeated > 0 || got.Gaps > 0 {
		t.Error("lost, repeated and gaps must be 0: the retention kept everything")
	}
	if got.Broken > 0 || got.Complete == 0 {
		t.Error("a resume is complete only with everything after its cursor")
	}
	if len(acknowledged) == 0 || got.Begun < 3*len(sources) || kills == 0 || network.cuts.Load()+network.resets.Load() == 0 {
		t.Error("too little happened to prove anything")
	}
}
