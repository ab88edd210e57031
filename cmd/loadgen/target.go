package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"time"
)

// target is the server under load.
type target struct {
	url     *url.URL
	host    string      // value of the Host header
	tls     *tls.Config // nil: plain HTTP
	address *net.TCPAddr
}

// dialTimeout is the longest time to open a connection.
const dialTimeout = 10 * time.Second

// resolveTarget parses the address of an installation and checks that it accepts connections.
func resolveTarget(raw string) (*target, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("-url %q is not the address of an installation; write it like http://localhost:6009", raw)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("-url has more than scheme, host and port; pass the address of the service itself, like %s://%s", u.Scheme, u.Host)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(u.Hostname(), port), dialTimeout)
	if err != nil {
		return nil, fmt.Errorf("nothing listens at %s (%w); start the service, or pass its address with -url", raw, err)
	}
	defer conn.Close()
	t := &target{url: u, host: u.Host, address: conn.RemoteAddr().(*net.TCPAddr)}
	if u.Scheme == "https" {
		t.tls = &tls.Config{ServerName: u.Hostname(), NextProtos: []string{"http/1.1"}}
	}
	return t, nil
}

// client returns an HTTP client for requests that are not timed.
func (t *target) client() *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: t.tls}}
}

// dial opens one connection to the target.
func (t *target) dial() (net.Conn, error) {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if t.tls == nil {
		return dialer.Dial("tcp", t.address.String())
	}
	return tls.DialWithDialer(dialer, "tcp", t.address.String(), t.tls)
}

// sources returns the local addresses to spread subscribers over; nil leaves the choice to the
// kernel. One pair of addresses has some 28,000 ephemeral ports, and a closed connection holds its
// port for a minute (TIME_WAIT). On Linux all of 127.0.0.0/8 is local without configuration.
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
