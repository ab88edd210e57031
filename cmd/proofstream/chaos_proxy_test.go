package main

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// badNetwork is a proxy in front of the service that does to connections what networks do: it cuts, resets, delays
// and throttles them, at random, in the middle of whatever they carry.
type badNetwork struct {
	listener net.Listener
	to       atomic.Pointer[string] // host:port of the service
	calm     atomic.Bool            // does no harm from now on
	rng      *lockedRand
	mu       sync.Mutex // guards open
	open     map[net.Conn]bool
	done     sync.WaitGroup

	cuts, resets, refusals, throttled atomic.Int64
}

// lockedRand is a seeded source for several goroutines.
type lockedRand struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (l *lockedRand) n(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.IntN(n)
}

func newBadNetwork(t testing.TB, to string, seed uint64) *badNetwork {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &badNetwork{listener: l, rng: &lockedRand{r: rand.New(rand.NewPCG(seed, seed))}, open: map[net.Conn]bool{}}
	b.to.Store(&to)
	b.done.Go(b.accept)
	t.Cleanup(func() {
		l.Close()
		b.each(func(c net.Conn) { c.Close() })
		b.done.Wait()
	})
	return b
}

func (b *badNetwork) url() string { return "http://" + b.listener.Addr().String() }

func (b *badNetwork) accept() {
	for {
		c, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.track(c, true)
		b.done.Go(func() { b.serve(c) })
	}
}

func (b *badNetwork) track(c net.Conn, open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if open {
		b.open[c] = true
	} else {
		delete(b.open, c)
	}
}

func (b *badNetwork) each(do func(net.Conn)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.open {
		do(c)
	}
}

func (b *badNetwork) serve(client net.Conn) {
	defer b.track(client, false)
	defer client.Close()
	if !b.calm.Load() && b.rng.n(20) == 0 {
		b.refusals.Add(1)
		return
	}
	server, err := net.DialTimeout("tcp", *b.to.Load(), time.Second)
	if err != nil {
		return
	}
	b.track(server, true)
	defer b.track(server, false)
	defer server.Close()
	b.done.Go(func() {
		io.Copy(server, client)
		server.Close()
		client.Close()
	})
	b.harm(client, server)
}

// harm passes an answer on, in pieces of any size, until it has had enough.
func (b *badNetwork) harm(client, server net.Conn) {
	left := 200 + b.rng.n(40_000) // bytes that this connection lives for
	slow := b.rng.n(4) == 0
	if slow {
		b.throttled.Add(1)
	}
	for buf := make([]byte, 4096); ; {
		piece := buf
		if slow && !b.calm.Load() {
			piece = buf[:1+b.rng.n(100)]
		}
		n, err := server.Read(piece)
		if err != nil {
			return
		}
		if !b.calm.Load() {
			if left -= n; left < 0 {
				client.Write(piece[:b.rng.n(n)])
				if b.rng.n(2) == 0 {
					b.resets.Add(1)
					client.(*net.TCPConn).SetLinger(0) // closing then resets
				} else {
					b.cuts.Add(1)
				}
				return
			}
			if slow || b.rng.n(50) == 0 {
				time.Sleep(time.Duration(b.rng.n(20)) * time.Millisecond) // a delay is the harm
			}
		}
		if _, err := client.Write(piece[:n]); err != nil {
			return
		}
	}
}
