package sse

import (
	"testing"
	"time"

	"proofstream/stream/clocktest"
	"proofstream/stream/waitfor"
)

func TestReaderIsStalledWhenItAcceptsNoByte(t *testing.T) {
	start := time.Now()
	type look struct {
		after           time.Duration
		written, queued int
		want            bool
	}
	for name, looks := range map[string][]look{
		"nothing is accepted":               {{minStall - 1, 0, 100, false}, {minStall, 0, 100, true}},
		"a byte is accepted, without room":  {{minStall - 1, 0, 99, false}, {2*minStall - 2, 0, 99, false}, {2*minStall - 1, 0, 99, true}},
		"bytes are accepted and as many go": {{minStall - 1, 50, 100, false}, {2*minStall - 2, 0, 100, false}},
		"more is queued than before":        {{minStall - 1, 50, 120, false}, {2*minStall - 2, 0, 119, false}, {3*minStall - 3, 0, 118, false}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, by := range []time.Duration{0, 30 * time.Second, -30 * time.Second} {
				s := stall{since: start, queued: 100}
				for i, l := range looks {
					if got := s.lasts(clocktest.SetBack(t, start.Add(l.after), by), l.written, l.queued); got != l.want {
						t.Errorf("look %d, with the clock set back by %v: got %v, want %v", i+1, by, got, l.want)
					}
				}
			}
		})
	}
}

// What the kernel holds for a reader shrinks with what that accepts, also while there is no room for more.
func TestUnacknowledgedBytesShrinkAsTheReaderAccepts(t *testing.T) {
	e := newEnds(t)
	c, reader := e.stream(t)
	e.stall(t, c)
	fd := int(c.watched.fd)
	before := unacknowledged(fd)
	if before == 0 {
		t.Fatal("nothing is queued for a reader that does not read")
	}
	e.forget(c) // what comes free is not filled again at once
	if _, err := reader.Read(make([]byte, 16<<10)); err != nil {
		t.Fatal(err)
	}
	waitfor.Fact(t, "fewer bytes are queued", func() bool { return unacknowledged(fd) < before })
	reader.SetLinger(0)
	reader.Close()
}
