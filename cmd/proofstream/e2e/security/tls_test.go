package security

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/ssetest"
	"proofstream/stream/waitfor"
)

// Streams and posts share one HTTP/2 connection, and a drain sends busy on its streams too.
func TestTLSCarriesStreamsOnHTTP2(t *testing.T) {
	a := e2e.NewAuthority(t, "proof.example.com")
	p := e2e.StartSecured(t, a, "PROOF_SHUTDOWN_GRACE=3s")
	if !strings.HasPrefix(p.URL, "https://") {
		t.Fatalf("the program serves %s", p.URL)
	}
	var streams []*e2e.Source
	for range 3 {
		s := p.Listen(t, "")
		if s.Proto != 2 {
			t.Fatalf("the stream is HTTP/%d", s.Proto)
		}
		streams = append(streams, s)
	}
	resp := p.Get(t, "/live")
	if resp.Proto != 2 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("/live came over HTTP/%d, %v", resp.Proto, resp.Header)
	}
	p.Post(t, "user_name=Ada")
	for _, s := range streams {
		s.AwaitEvents(t, "signup", 1)
	}
	p.Stop()
	for _, s := range streams {
		s.AwaitEvents(t, "busy", 1)
	}
}

// An idle stream stays open for longer than the time limit of a write.
func TestTLSIdleStreamOnHTTP2LivesOn(t *testing.T) {
	e2e.Slow(t)
	t.Parallel() // most of the time it waits
	p := e2e.StartSecured(t, e2e.NewAuthority(t, "proof.example.com"), "PROOF_HEARTBEAT=1h")
	s := p.Listen(t, "")
	s.Ready(t)
	time.Sleep(16 * time.Second) // the time limit of a write is 15 s: only time can show that it ends no idle stream
	p.Post(t, "user_name=Ada")
	s.AwaitEvents(t, "signup", 1)
}

// A stalled reader is disconnected on HTTP/2 too.
func TestTLSStalledReaderOnHTTP2IsDisconnected(t *testing.T) {
	e2e.Slow(t)
	t.Parallel() // most of the time it waits
	a := e2e.NewAuthority(t, "proof.example.com")
	p := e2e.StartSecured(t, a, e2e.MetricsOn(t))
	c := a.Client(t)
	c.Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}
	resp, err := c.Get(p.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if e, err := ssetest.NewReader(resp.Body, "").Next(); err != nil || e.Kind != "ready" {
		t.Fatalf("got %+v, %v", e, err)
	}
	posted := 0
	waitfor.Until(t, waitfor.Patience, func() bool { // more than fit into the client's flow-control window
		p.Burst(t, 50, "offer_name="+strings.Repeat("x", 120))
		posted += 50
		return p.Metric(t, `proofstream_streams_ended_total{reason="slow"}`) == 1
	}, func() string { return fmt.Sprint("the stream is open after ", posted, " posts") })
}

// Under TLS too, HTTP/1 connections are hijacked from net/http, and a client that disconnects is noticed.
func TestTLSCarriesStreamsOnHTTP1(t *testing.T) {
	a := e2e.NewAuthority(t, "proof.example.com")
	p := e2e.StartSecured(t, a)
	http1 := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Pool}, DisableKeepAlives: true}}
	s := e2e.Server{URL: p.URL, Client: http1}.Listen(t, "")
	s.Ready(t)
	for i, name := range []string{"Ada", "Grace"} {
		p.Post(t, "user_name="+name)
		if got := s.AwaitEvents(t, "signup", i+1)[i].Field("user_name"); got != name || s.Proto != 1 {
			t.Fatalf("got %q over HTTP/%d, want %s", got, s.Proto, name)
		}
	}
	s.Close()
	p.AwaitSubscribers(t, 0)
}

// serial returns the serial number of the certificate that a new connection receives.
func serial(t *testing.T, address string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // the test looks at the certificate itself
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// New certificate files take effect for new connections, and a stream from before stays open. A key that does not match is logged.
func TestTLSReloadsRenewedFilesWithoutDroppingStreams(t *testing.T) {
	first, second := e2e.NewAuthority(t, "proof.example.com"), e2e.NewAuthority(t, "proof.example.com")
	dir := t.TempDir()
	cert, key := first.Write(t, dir)
	p := e2e.Start(t, "PROOF_TLS_CERT_FILE="+cert, "PROOF_TLS_KEY_FILE="+key)
	address := strings.TrimPrefix(p.URL, "https://")
	s := e2e.Server{URL: p.URL, Client: first.Client(t)}.Listen(t, "")
	s.Ready(t)
	before := serial(t, address)

	if err := os.WriteFile(key, second.Key, 0o600); err != nil { // the key is new, the certificate is not
		t.Fatal(err)
	}
	waitfor.Until(t, waitfor.Patience, func() bool {
		if got := serial(t, address); got != before {
			t.Fatalf("with half of a renewal: certificate %s, want %s", got, before)
		}
		return strings.Contains(p.Stderr.String(), "the previous certificate stays in use")
	}, func() string { return "a pair that does not fit is not logged" })
	second.Write(t, dir)
	waitfor.Until(t, waitfor.Patience, func() bool { return serial(t, address) != before }, func() string { return "the new certificate is not served" })
	p.AwaitLog("certificate reloaded")
	e2e.Server{URL: p.URL, Key: p.Key, Client: second.Client(t)}.Post(t, "user_name=Ada")
	s.AwaitEvents(t, "signup", 1) // on the stream from before
}

// acmeDir returns a data directory that has a certificate of a host, as ACME stores it.
func acmeDir(t *testing.T, a e2e.Authority, host string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "acme"), 0o700); err != nil {
		t.Fatal(err)
	}
	both := append(append([]byte{}, a.Key...), a.Cert...)
	if err := os.WriteFile(filepath.Join(dir, "acme", host), both, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A certificate in the data directory is served without asking the ACME server. Plain HTTP redirects to HTTPS.
func TestACMEServesKeptCertificatesAndRedirects(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.0.7:80"); err != nil {
		t.Skipf("port 80 cannot be had here: %v", err)
	} else {
		l.Close()
	}
	const host = "proof.example.com"
	a := e2e.NewAuthority(t, host)
	p := e2e.Start(t, "PROOF_ACME_HOSTS="+host, "PROOF_DATA_DIR="+acmeDir(t, a, host), "PROOF_ADDR=127.0.0.7:0")
	c := a.Client(t)
	c.Transport.(*http.Transport).TLSClientConfig.ServerName = host
	s := e2e.Server{URL: p.URL, Client: c}.Listen(t, "")
	s.Ready(t)
	if s.Proto != 2 || s.Head.Get("Strict-Transport-Security") == "" {
		t.Errorf("got HTTP/%d %v", s.Proto, s.Head)
	}
	if _, err := tls.Dial("tcp", strings.TrimPrefix(p.URL, "https://"), &tls.Config{ServerName: "other.example.com", InsecureSkipVerify: true}); err == nil {
		t.Error("a certificate is served for a name that was not given")
	}
	r, err := http.NewRequest("GET", "http://127.0.0.7/live?x=y", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	resp, err := (&http.Transport{}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Location"); resp.StatusCode != 302 || got != "https://"+host+"/live?x=y" {
		t.Errorf("plain HTTP: got %d to %q", resp.StatusCode, got)
	}
}
