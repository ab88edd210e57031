package resume

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
)

// faultyNetwork is a TCP proxy in front of the program that refuses, cuts, resets, delays and throttles connections at random, in the
// middle of frames too.
type faultyNetwork struct {
	url       string
	faultless atomic.Bool // set: no more faults

	mu  sync.Mutex // guards rng
	rng *rand.Rand

	cuts, resets, refusals, throttled atomic.Int64
}

// startFaultyNetwork starts a proxy to the address to. seed makes its faults repeatable, as far as scheduling does.
func startFaultyNetwork(t testing.TB, to string, seed uint64) *faultyNetwork {
	t.Helper()
	f := &faultyNetwork{rng: rand.New(rand.NewPCG(seed, seed))}
	f.url = "http://" + e2e.StartTCPProxy(t, func() (net.Conn, error) {
		if !f.faultless.Load() && f.intN(20) == 0 {
			f.refusals.Add(1)
			return nil, errors.New("refused")
		}
		return net.DialTimeout("tcp", to, time.Second)
	}, f.copyDown)
	return f
}

func (f *faultyNetwork) intN(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.IntN(n)
}

// copyDown copies the server's bytes to the client in pieces of random size, and ends the connection after a random number of bytes.
func (f *faultyNetwork) copyDown(client, server net.Conn) {
	left := 200 + f.intN(40_000)
	slow := f.intN(4) == 0
	if slow {
		f.throttled.Add(1)
	}
	for buf := make([]byte, 4096); ; {
		piece := buf
		if slow && !f.faultless.Load() {
			piece = buf[:1+f.intN(100)]
		}
		n, err := server.Read(piece)
		if err != nil {
			return
		}
		if !f.faultless.Load() {
			if left -= n; left < 0 {
				client.Write(piece[:f.intN(n)])
				f.cut(client)
				return
			}
			if slow || f.intN(50) == 0 {
				time.Sleep(time.Duration(f.intN(20)) * time.Millisecond) // the delay is the fault
			}
		}
		if _, err := client.Write(piece[:n]); err != nil {
			return
		}
	}
}

// cut makes the close of a connection a reset in half of the cases.
func (f *faultyNetwork) cut(client net.Conn) {
	if f.intN(2) == 0 {
		f.resets.Add(1)
		client.(*net.TCPConn).SetLinger(0)
		return
	}
	f.cuts.Add(1)
}
