package sse

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"proofstream/stream/registry"
	"proofstream/stream/sqlitelog"
	"proofstream/stream/waitfor"
)

// ends are the streams of a set of descriptors that a test watches.
type ends struct {
	*disconnects
	reg *registry.Registry
}

// newEnds starts what reports disconnects, and a registry. Both end with the test.
func newEnds(t *testing.T) *ends {
	t.Helper()
	log := sqlitelog.New(sqlitelog.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err := log.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	d, err := newDisconnects()
	if err != nil {
		t.Fatal(err)
	}
	e := &ends{disconnects: d, reg: registry.New(log, registry.Options{})}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { log.Run(ctx) })
	running.Go(func() { e.reg.Run(ctx) })
	running.Go(func() { d.run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		d.close()
		log.Close()
	})
	return e
}

// stream returns a stream that is watched, and the connection of its reader.
func (e *ends) stream(t *testing.T) (*hijacked, *net.TCPConn) {
	t.Helper()
	config := ListenConfig()
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	small := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 8<<10) })
	}}
	reader, err := small.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	sub, _, err := e.reg.Join(t.Context(), registry.Request{Site: "default"})
	if err != nil {
		t.Fatal(err)
	}
	c := &hijacked{server: &Server{disconnects: e.disconnects}, conn: conn, sub: sub}
	e.watch(c)
	if c.conn != nil {
		t.Fatal("the descriptor was not taken over")
	}
	t.Cleanup(func() {
		e.forget(c)
		c.close()
	})
	return c, reader.(*net.TCPConn)
}

// stall starts a write of more than the kernel takes, waits until it stalls, and returns its bytes and its result.
func (e *ends) stall(t *testing.T, c *hijacked) (text []byte, result <-chan error) {
	t.Helper()
	text = make([]byte, 256<<10)
	for i := range text {
		text[i] = byte(i>>8 ^ i)
	}
	done := make(chan error, 1)
	go func() { _, err := c.write(text, true); done <- err }()
	waitfor.Fact(t, "the write stalls", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.full[c.watched.fd] != nil
	})
	return text, done
}

// await returns the result of a write.
func await(t *testing.T, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(waitfor.Patience):
		t.Fatal("the write does not end")
		return nil
	}
}

func TestStalledWriteGoesOnWhenItsReaderReads(t *testing.T) {
	e := newEnds(t)
	c, reader := e.stream(t)
	text, result := e.stall(t, c)
	got := make([]byte, len(text))
	began := time.Now()
	if _, err := io.ReadFull(reader, got); err != nil || !bytes.Equal(got, text) {
		t.Fatalf("the reader gets other bytes, or %v", err)
	}
	if err := await(t, result); err != nil {
		t.Errorf("the write fails: %v", err)
	}
	if took := time.Since(began); took > checkEvery {
		t.Errorf("reading took %v: the write waits for its own look, not for room", took)
	}
	limit, err := unix.GetsockoptInt(int(c.watched.fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
	if err != nil || limit != int(vanishedAfter.Milliseconds()) {
		t.Errorf("after the stall a reader that vanishes is noticed after %d ms, %v; want %v", limit, err, vanishedAfter)
	}
}

func TestStalledWriteEndsWithItsConnection(t *testing.T) {
	e := newEnds(t)
	for name, tt := range map[string]struct {
		leave func(t *testing.T, c *hijacked, reader *net.TCPConn)
		want  registry.CloseReason
	}{
		"the reader closes its sending side": {func(_ *testing.T, _ *hijacked, r *net.TCPConn) { r.CloseWrite() }, registry.Gone},
		"the reader resets the connection": {func(_ *testing.T, _ *hijacked, r *net.TCPConn) {
			r.SetLinger(0)
			r.Close()
		}, registry.Gone},
		"the reader does not acknowledge anything any longer": {func(t *testing.T, c *hijacked, _ *net.TCPConn) {
			if err := unix.SetsockoptInt(int(c.watched.fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 1); err != nil {
				t.Error(err)
			}
		}, registry.Dead},
	} {
		t.Run(name, func(t *testing.T) {
			c, reader := e.stream(t)
			_, result := e.stall(t, c)
			began := time.Now()
			tt.leave(t, c, reader)
			err := await(t, result)
			if got := closeReasonOf(err); err == nil || got != tt.want {
				t.Errorf("the write ends with %v, which is %q; want %q", err, got, tt.want)
			}
			if took := time.Since(began); took > checkEvery {
				t.Errorf("the write ended after %v: by its own look, not by the disconnect", took)
			}
			c.sub.Close(closeReasonOf(err))
			if _, why := c.sub.Next(); !errors.Is(why, tt.want) {
				t.Errorf("the subscription ended with %v, want %q", why, tt.want)
			}
		})
	}
}

// The kernel may report an event of a connection that was closed meanwhile, and whose descriptor another connection has.
func TestEventOfAnEarlierConnectionEndsNobody(t *testing.T) {
	e := newEnds(t)
	c, reader := e.stream(t)
	stale := *c.watched.event(0)
	e.add(c, int(c.watched.fd)) // as another connection
	for _, events := range []uint32{unix.EPOLLRDHUP, unix.EPOLLERR | unix.EPOLLHUP, unix.EPOLLOUT} {
		stale.Events = events
		e.happened(stale)
	}
	text, result := e.stall(t, c)
	stale.Events = unix.EPOLLOUT
	e.happened(stale)
	e.mu.Lock()
	if e.full[c.watched.fd] == nil {
		t.Error("a write was woken by the event of an earlier connection")
	}
	e.mu.Unlock()
	if n, err := io.CopyN(io.Discard, reader, int64(len(text))); err != nil {
		t.Errorf("the stream ended after %d bytes: %v", n, err)
	}
	if err := await(t, result); err != nil {
		t.Error(err)
	}
}

// A connection whose event comes late must not get back its place in the list, nor take that of the next one.
func TestForgottenStreamLeavesNothing(t *testing.T) {
	e := newEnds(t)
	c, _ := e.stream(t)
	late := *c.watched.event(0)
	e.forget(c)
	late.Events = unix.EPOLLRDHUP
	e.happened(late)
	if n, err := writeNow(int(c.watched.fd), []byte("x")); n != 1 || err != nil {
		t.Errorf("a descriptor that is no longer watched was shut down: %d, %v", n, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.streams[c.watched.fd] != nil || len(e.full) != 0 {
		t.Error("the stream is still in the list")
	}
}
