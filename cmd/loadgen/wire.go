package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"time"
)

// wire holds the sockets of all subscribers, each known by its index. Two things implement it:
// epollWire, which costs next to nothing per socket (Linux, plain HTTP), and netWire, a goroutine
// per connection (https, and other systems). All methods are called from one goroutine, which is
// also the one that poll calls the sink from.
type wire interface {
	// open connects subscriber i and sends the request. Failures come through the sink.
	open(i int, request []byte)
	// shut closes subscriber i; the sink hears nothing more of it.
	shut(i int)
	// poll waits at most d for something to happen and tells the sink all that did.
	poll(d time.Duration, to sink) error
	// release closes everything.
	release()
}

// sink is told what arrives. The bytes are valid only during the call.
type sink interface {
	received(i int, b []byte, now int64)
	ended(i int, err error)
}

// target is the server under load.
type target struct {
	url     *url.URL
	host    string      // value of the Host header
	secure  *tls.Config // nil: plain HTTP
	address *net.TCPAddr
}

// findTarget parses the address of an installation and makes sure that something listens there.
func findTarget(raw string) (*target, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("-url %q is no address of an installation; write it like http://localhost:6009", raw)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(u.Hostname(), port), 5*time.Second)
	if err != nil {
		return nil, fmt.Errorf("nothing answers at %s (%w); start the service, or pass its address with -url", raw, err)
	}
	defer conn.Close()
	t := &target{url: u, host: u.Host, address: conn.RemoteAddr().(*net.TCPAddr)}
	if u.Scheme == "https" {
		t.secure = &tls.Config{ServerName: u.Hostname(), NextProtos: []string{"http/1.1"}}
	}
	return t, nil
}

// client asks the target what is not timed.
func (t *target) client() *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: t.secure}}
}

// sources returns the local addresses that subscribers are spread over. One pair of addresses has
// some 28,000 ports, of which closed connections hold theirs for a minute; all of 127.0.0.0/8 is
// this machine, so a loopback target needs no other preparation. Nil leaves the choice to the system.
func (t *target) sources() []net.IP {
	ip := t.address.IP.To4()
	if ip == nil || !ip.IsLoopback() || runtime.GOOS != "linux" {
		return nil
	}
	var list []net.IP
	for last := byte(1); last <= 16; last++ {
		list = append(list, net.IPv4(127, 0, 0, last).To4())
	}
	return list
}

// started is the zero of all times in a run; clock is monotonic.
var started = time.Now()

// clock returns nanoseconds since the program started.
func clock() int64 { return int64(time.Since(started)) }
