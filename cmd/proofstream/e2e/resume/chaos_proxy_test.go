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

// faultyNetwork is a proxy in front of the service that does to connections what networks do: it cuts, resets, delays and
// throttles them, at random, in the middle of whatever they carry.
type faultyNetwork struct {
	url       string
	faultless atomic.Bool // no faults from now on

	mu  sync.Mutex // guards rng
	rng *rand.Rand

	cuts, resets, refusals, throttled atomic.Int64
}

func startFaultyNetwork(t testing.TB, to string, seed uint64) *faultyNetwork {
	t.Helper()
	f := &faultyNetwork{rng: rand.New(rand.NewPCG(seed, seed))}
	f.url = "http://" + e2e.StartTCPProxy(t, func() (net.Conn, error) {
		if !f.faultless.Load() && f.intN(20) == 0 {
			f.refusals.Add(1)
			return nil, errors.New("refused")
		}
		return net.DialTimeout("tcp", to, time.Second)
	}, f.carry)
	return f
}

func (f *faultyNetwork) intN(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.IntN(n)
}

// carry passes an answer on, in pieces of any size, for as many bytes as chance gives the connection.
func (f *faultyNetwork) carry(client, server net.Conn) {
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

// cut makes the end of a connection a reset, or leaves it a plain one.
func (f *faultyNetwork) cut(client net.Conn) {
	if f.intN(2) == 0 {
		f.resets.Add(1)
		client.(*net.TCPConn).SetLinger(0)
		return
	}
	f.cuts.Add(1)
}
