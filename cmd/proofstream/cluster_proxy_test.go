package main

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// roundRobin is a load balancer that knows nothing but TCP: each connection goes to the next backend that takes it.
type roundRobin struct {
	url  string
	next atomic.Int64

	mu       sync.Mutex // guards backends
	backends []string   // host:port
}

func balance(t *testing.T, programs ...*program) *roundRobin {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	b := &roundRobin{url: "http://" + l.Addr().String()}
	for _, p := range programs {
		b.backends = append(b.backends, strings.TrimPrefix(p.url, "http://"))
	}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go b.pass(in)
		}
	}()
	return b
}

// pass connects one connection to a backend; while none takes it, it waits.
func (b *roundRobin) pass(in net.Conn) {
	defer in.Close()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		b.mu.Lock()
		to := b.backends[int(b.next.Add(1))%len(b.backends)]
		b.mu.Unlock()
		out, err := net.DialTimeout("tcp", to, time.Second)
		if err != nil {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		defer out.Close()
		go func() {
			io.Copy(out, in)
			out.(*net.TCPConn).CloseWrite()
		}()
		io.Copy(in, out)
		return
	}
}
