package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/stream/waitfor"
)

// StartTCPProxy starts a TCP proxy that runs until the test ends, and returns its address. dial connects to the server; when it
// fails, the proxy disconnects the client. down copies the server's bytes to the client; nil copies them unchanged.
func StartTCPProxy(t testing.TB, dial func() (net.Conn, error), down func(client, server net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tcpProxy{dial: dial, down: down, open: map[net.Conn]bool{}}
	if down == nil {
		p.down = func(client, server net.Conn) { io.Copy(client, server) }
	}
	p.done.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.done.Go(func() { p.pass(client) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.close()
	})
	return l.Addr().String()
}

type tcpProxy struct {
	dial func() (net.Conn, error)
	down func(client, server net.Conn)
	done sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	open   map[net.Conn]bool
	closed bool
}

func (p *tcpProxy) pass(client net.Conn) {
	defer client.Close()
	if !p.track(client) {
		return
	}
	defer p.forget(client)
	server, err := p.dial()
	if err != nil || !p.track(server) {
		return
	}
	defer p.forget(server)
	defer server.Close()
	p.done.Go(func() {
		io.Copy(server, client)
		server.(*net.TCPConn).CloseWrite()
	})
	p.down(client, server)
}

func (p *tcpProxy) track(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Close()
		return false
	}
	p.open[c] = true
	return true
}

func (p *tcpProxy) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

func (p *tcpProxy) close() {
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		c.Close()
	}
	p.mu.Unlock()
	p.done.Wait()
}

// Balance starts a TCP load balancer. Each connection goes to the next program that accepts it. While none does, the connection
// waits, up to waitfor.Patience.
func Balance(t testing.TB, programs ...*Program) Server {
	t.Helper()
	var addresses []string
	for _, p := range programs {
		addresses = append(addresses, strings.TrimPrefix(p.URL, "http://"))
	}
	var next atomic.Int64
	ended := t.Context().Done()
	addr := StartTCPProxy(t, func() (conn net.Conn, err error) {
		if !waitfor.Within(waitfor.Patience, func() bool {
			conn, err = net.DialTimeout("tcp", addresses[int(next.Add(1))%len(addresses)], time.Second)
			select {
			case <-ended:
				return true
			default:
				return err == nil
			}
		}) {
			return nil, errors.New("no backend accepts a connection")
		}
		return conn, err
	}, nil)
	return Server{URL: "http://" + addr, Key: TestKey}
}

// SlowLink is a TCP proxy that limits the rate of the bytes from the server.
type SlowLink struct {
	Addr string       // where it listens
	Rate atomic.Int64 // bytes a second; 0 is no limit, negative stops them
}

// StartSlowLink starts a link without a limit to a port of the loopback.
func StartSlowLink(t testing.TB, port int) *SlowLink {
	t.Helper()
	s := &SlowLink{}
	s.Addr = StartTCPProxy(t, func() (net.Conn, error) {
		conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			conn.(*net.TCPConn).SetReadBuffer(16 << 10)
		}
		return conn, err
	}, s.copyDown)
	t.Cleanup(func() { s.Rate.Store(0) }) // before the proxy ends: see copyDown
	return s
}

func (s *SlowLink) copyDown(client, server net.Conn) {
	for buf := make([]byte, 4<<10); ; {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		for s.Rate.Load() < 0 {
			time.Sleep(5 * time.Millisecond)
		}
		if rate := s.Rate.Load(); rate > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}
