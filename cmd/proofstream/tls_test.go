package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Streams and posts share one connection, and a drain ends the streams as it does all others.
func TestTLSCarriesStreamsOnHTTP2(t *testing.T) {
	a := newAuthority(t, "proof.example.com")
	p := startSecured(t, a, "PROOF_SHUTDOWN_GRACE=3s")
	if !strings.HasPrefix(p.url, "https://") {
		t.Fatalf("the program serves %s", p.url)
	}
	var streams []*source
	for range 3 {
		s := p.listen(t, "")
		if s.proto != 2 {
			t.Fatalf("the stream is HTTP/%d", s.proto)
		}
		streams = append(streams, s)
	}
	resp := p.get(t, "/live")
	if resp.proto != 2 || resp.header.Get("Strict-Transport-Security") == "" {
		t.Errorf("/live came over HTTP/%d, %v", resp.proto, resp.header)
	}
	p.post(t, "user_name=Ada")
	for _, s := range streams {
		s.awaitEvents(t, "signup", 1)
	}
	p.stop()
	for _, s := range streams {
		s.awaitEvents(t, "busy", 1)
	}
}

// An idle stream outlives the time that a single write may take.
func TestTLSIdleStreamOnHTTP2LivesOn(t *testing.T) {
	slow(t)
	t.Parallel() // it mostly waits
	p := startSecured(t, newAuthority(t, "proof.example.com"), "PROOF_HEARTBEAT=1h")
	s := p.listen(t, "")
	s.ready(t)
	time.Sleep(16 * time.Second) // the limit on a write is 15 s
	p.post(t, "user_name=Ada")
	s.awaitEvents(t, "signup", 1)
}

// A reader that accepts no bytes is disconnected on HTTP/2 too.
func TestTLSStalledReaderOnHTTP2IsDisconnected(t *testing.T) {
	slow(t)
	t.Parallel() // it mostly waits
	a := newAuthority(t, "proof.example.com")
	p := startSecured(t, a, metricsOn(t))
	c := a.client(t)
	c.Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}
	resp, err := c.Get(p.url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if e, err := newEventReader(resp.Body, "").next(); err != nil || e.kind != "ready" {
		t.Fatalf("got %+v, %v", e, err)
	}
	posted := 0
	until(t, patience, func() bool { // many more than the client's window takes
		p.burst(t, 50, "offer_name="+strings.Repeat("x", 120))
		posted += 50
		return p.metric(t, `proofstream_streams_ended_total{reason="slow"}`) == 1
	}, func() string { return fmt.Sprint("the stream is open after ", posted, " posts") })
}

// Under TLS too, HTTP/1 connections are hijacked from net/http, and a client that disconnects is noticed.
func TestTLSCarriesStreamsOnHTTP1(t *testing.T) {
	a := newAuthority(t, "proof.example.com")
	p := startSecured(t, a)
	http1 := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool}, DisableKeepAlives: true}}
	s := server{url: p.url, client: http1}.listen(t, "")
	s.ready(t)
	for i, name := range []string{"Ada", "Grace"} {
		p.post(t, "user_name="+name)
		if got := s.awaitEvents(t, "signup", i+1)[i].field("user_name"); got != name || s.proto != 1 {
			t.Fatalf("got %q over HTTP/%d, want %s", got, s.proto, name)
		}
	}
	s.close()
	p.awaitSubscribers(t, 0)
}

// serial returns the serial number of the certificate that a new connection gets.
func serial(t *testing.T, address string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // which one it is, is the question
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func TestTLSReloadsRenewedFilesWithoutDroppingStreams(t *testing.T) {
	first, second := newAuthority(t, "proof.example.com"), newAuthority(t, "proof.example.com")
	dir := t.TempDir()
	cert, key := first.write(t, dir)
	p := start(t, "PROOF_TLS_CERT_FILE="+cert, "PROOF_TLS_KEY_FILE="+key)
	address := strings.TrimPrefix(p.url, "https://")
	s := server{url: p.url, client: first.client(t)}.listen(t, "")
	s.ready(t)
	before := serial(t, address)

	if err := os.WriteFile(key, second.key, 0o600); err != nil { // half of a renewal
		t.Fatal(err)
	}
	until(t, patience, func() bool {
		if got := serial(t, address); got != before {
			t.Fatalf("with half of a renewal: certificate %s, want %s", got, before)
		}
		return strings.Contains(p.stderr.String(), "the one before stays")
	}, func() string { return "a pair that does not fit is not logged" })
	second.write(t, dir)
	until(t, patience, func() bool { return serial(t, address) != before }, func() string { return "the new certificate is not served" })
	p.awaitLog("certificate reloaded")
	server{url: p.url, key: p.key, client: second.client(t)}.post(t, "user_name=Ada")
	s.awaitEvents(t, "signup", 1) // on the stream from before
}

func TestTLSLinkedFilesAreReloaded(t *testing.T) {
	first, second := newAuthority(t, "a.example.com"), newAuthority(t, "b.example.com")
	dir := t.TempDir()
	for name, a := range map[string]authority{"first": first, "second": second} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		a.write(t, filepath.Join(dir, name))
	}
	link := filepath.Join(dir, "live")
	point := func(to string) {
		os.Remove(link)
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	point("first")
	f := &certificateFiles{cert: filepath.Join(link, "cert.pem"), key: filepath.Join(link, "key.pem"), logger: slog.New(slog.DiscardHandler)}
	for _, want := range []string{"a.example.com", "b.example.com", "a.example.com"} {
		point(map[string]string{"a.example.com": "first", "b.example.com": "second"}[want])
		f.looked = time.Time{} // as if a second had gone by
		got, err := f.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.Leaf.Subject.CommonName != want {
			t.Errorf("got the certificate of %s, want that of %s", got.Leaf.Subject.CommonName, want)
		}
	}
}

// acmeDir is a data directory with a certificate that was obtained before.
func acmeDir(t *testing.T, a authority, host string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "acme"), 0o700); err != nil {
		t.Fatal(err)
	}
	both := append(append([]byte{}, a.key...), a.cert...)
	if err := os.WriteFile(filepath.Join(dir, "acme", host), both, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A certificate obtained before is kept in the data directory, and enough to serve.
func TestACMEServesKeptCertificatesAndRedirects(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.0.7:80"); err != nil {
		t.Skipf("port 80 cannot be had here: %v", err)
	} else {
		l.Close()
	}
	const host = "proof.example.com"
	a := newAuthority(t, host)
	p := start(t, "PROOF_ACME_HOSTS="+host, "PROOF_DATA_DIR="+acmeDir(t, a, host), "PROOF_ADDR=127.0.0.7:0")
	c := a.client(t)
	c.Transport.(*http.Transport).TLSClientConfig.ServerName = host
	s := server{url: p.url, client: c}.listen(t, "")
	s.ready(t)
	if s.proto != 2 || s.head.Get("Strict-Transport-Security") == "" {
		t.Errorf("got HTTP/%d %v", s.proto, s.head)
	}
	if _, err := tls.Dial("tcp", strings.TrimPrefix(p.url, "https://"), &tls.Config{ServerName: "other.example.com", InsecureSkipVerify: true}); err == nil {
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

func TestACMEAnswersChallengesOnPlainHTTP(t *testing.T) {
	link := newTransport(Config{ACMEHosts: []string{"proof.example.com"}, DataDir: t.TempDir()}, slog.New(slog.DiscardHandler))
	if !slices.Contains(link.tls.NextProtos, "h2") || !slices.Contains(link.tls.NextProtos, "acme-tls/1") {
		t.Errorf("protocols %v", link.tls.NextProtos)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "http://proof.example.com/.well-known/acme-challenge/token", nil)
	link.plain.ServeHTTP(w, r)
	if w.Code != 404 { // a token that was not asked for; anything else would be redirected
		t.Errorf("challenge: got %d, want 404", w.Code)
	}
	w = httptest.NewRecorder()
	link.plain.ServeHTTP(w, httptest.NewRequest("POST", "http://proof.example.com/signup", strings.NewReader("api_key=x")))
	if w.Code != 400 { // a key must not be sent on as if nothing had happened
		t.Errorf("a post on plain HTTP: got %d, want 400", w.Code)
	}
}
