package protocol

import (
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
)

// An idle stream gets a heartbeat every 15 s, give or take 2 s, and no event.
func TestIdleStreamHasAHeartbeatEvery15Seconds(t *testing.T) {
	e2e.Slow(t)
	t.Parallel()
	p := e2e.Start(t)
	s := p.Listen(t, "")
	s.Ready(t)
	opened := time.Now()
	s.Await(t, "a heartbeat", func() bool { return len(s.Heartbeats) == 1 })
	if took := time.Since(opened); took > 17*time.Second {
		t.Errorf("the first heartbeat came after %v, want at most 17 s", took)
	}
	s.Await(t, "a second heartbeat", func() bool { return len(s.Heartbeats) == 2 })
	if took := s.Heartbeats[1].Sub(s.Heartbeats[0]); took < 13*time.Second || took > 17*time.Second {
		t.Errorf("the second heartbeat came %v after the first, want 13 to 17 s", took)
	}
	if got := s.Received(); len(got) != 1 {
		t.Errorf("got events %+v, want only ready", got)
	}
}
