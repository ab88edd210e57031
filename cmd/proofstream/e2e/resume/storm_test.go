package resume

import (
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// 500 subscribers, or 10,000 with PROOF_TEST_LONG=1, reconnect at once, each with a cursor. All catch up within seconds, and posts
// are stored meanwhile.
func TestReconnectStorm(t *testing.T) {
	e2e.Slow(t)
	n := e2e.Scaled(500, 10_000)
	e2e.NeedDescriptors(t, n+500)
	p := e2e.Start(t)
	first := p.Listen(t, "").Ready(t).ID
	want := p.Burst(t, 100)
	live := e2e.StartLoad(t, p.Server, 0, 1, 10*time.Millisecond)
	began := time.Now()
	c := e2e.OpenReaders(t, p.Server, n, "?last_event_id="+first)
	c.Await(t, len(want), time.Duration(e2e.Scaled(30, 120))*time.Second)
	took := time.Since(began)
	live.Stop()
	want = append(want, live.IDs()...)
	c.Await(t, len(want), 2*waitfor.Patience)
	c.Audit(t, want)
	worst := live.LongestStall()
	t.Logf("%d subscribers that missed 100 events each have caught up after %v; the longest time without a stored post was %v", n, took, worst)
	if worst > 10*time.Second {
		t.Errorf("no post was stored for %v", worst)
	}
}
