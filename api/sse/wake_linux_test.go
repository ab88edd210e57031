package sse

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"proofstream/stream/registry"
	"proofstream/stream/waitfor"
)

// start makes a stream the owner of its subscription, as Serve does.
func (e *ends) start(c *hijacked) {
	c.server.o.Registry = e.reg
	c.ended = func(registry.CloseReason) {}
	c.sub.WakeBy(c)
	c.Wake(false)
}

// publish posts n signups of 3 KB.
func (e *ends) publish(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		data := fmt.Sprintf(`{"user_name":"%d %s"}`, i, strings.Repeat("x", 3000))
		if _, _, err := e.reg.Publish(t.Context(), "default", []byte(data), ""); err != nil {
			t.Error(err)
			return
		}
	}
}

// running returns how many streams have a goroutine.
func running() int {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for _, stack := range bytes.Split(stacks, []byte("\n\n")) {
		if bytes.Contains(stack, []byte("(*hijacked).Wake")) {
			n++
		}
	}
	return n
}

// readEvents reads n events and returns their bytes.
func readEvents(t *testing.T, conn net.Conn, n int) (got []byte) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(waitfor.Patience))
	for buf := make([]byte, 32<<10); bytes.Count(got, []byte("\n\n")) < n; {
		m, err := conn.Read(buf)
		if got = append(got, buf[:m]...); err != nil {
			t.Fatalf("after %d bytes: %v", len(got), err)
		}
	}
	return got
}

// A stream has a goroutine while its reader is slower than its events, and otherwise none. The other streams, which are woken with it, do
// not wait for it. When it reads, it gets the same bytes.
func TestStalledStreamHoldsUpNobody(t *testing.T) {
	e := newEnds(t)
	const events = 150
	stalled, stalledReader := e.stream(t)
	e.start(stalled)
	var readers []net.Conn
	for range 3 {
		c, reader := e.stream(t)
		e.start(c)
		readers = append(readers, reader)
	}
	if n := running(); n != 0 {
		t.Errorf("%d idle streams have a goroutine", n)
	}
	go e.publish(t, events)
	var want []byte
	for _, reader := range readers {
		want = readEvents(t, reader, events)
	}
	waitfor.Fact(t, "only the stalled stream has a goroutine", func() bool { return running() == 1 })
	if got := readEvents(t, stalledReader, events); !bytes.Equal(got, want) {
		t.Errorf("the stalled stream gets %d bytes that are not the %d of the others", len(got), len(want))
	}
	waitfor.Fact(t, "no stream has a goroutine", func() bool { return running() == 0 })
}

// A stream that always has more to write leaves the others their turn.
func TestStreamWithMuchToWriteGoesOnByItself(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // its goroutine runs when this one waits
	e := newEnds(t)
	const events = 64 // a channel full, which is a dozen writes
	c, reader := e.stream(t)
	if err := unix.SetsockoptInt(int(c.watched.fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<20); err != nil { // as much as the system allows: all fit
		t.Fatal(err)
	}
	e.publish(t, events)
	waitfor.Fact(t, "the events are sent", func() bool { return e.reg.Stats().Lag == 0 })
	before := e.reg.Stats().Frames
	e.start(c)
	if n := e.reg.Stats().Frames - before; n == 0 || n == events {
		t.Errorf("%d of %d events were written before others had their turn", n, events)
	}
	if n, err := io.CopyN(io.Discard, reader, events*3000); err != nil {
		t.Errorf("the stream ended after %d bytes: %v", n, err)
	}
}
