package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
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

// authority signs itself, for one name and the loopback.
type authority struct {
	cert, key []byte // PEM
	pool      *x509.CertPool
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 7)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(90 * 24 * time.Hour),
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}),
		pool: x509.NewCertPool(),
	}
	a.pool.AppendCertsFromPEM(a.cert)
	return a
}

// write puts certificate and key into dir, the key first.
func (a authority) write(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for _, file := range []struct {
		path string
		text []byte
	}{{key, a.key}, {cert, a.cert}} {
		if err := os.WriteFile(file.path, file.text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// client trusts the authority and speaks HTTP/2 where it can.
func (a authority) client(t *testing.T) *http.Client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// startSecured starts the program with a certificate.
func startSecured(t *testing.T, a authority, env ...string) *program {
	t.Helper()
	cert, key := a.write(t, t.TempDir())
	return start(t, append([]string{"PROOF_TLS_CERT_FILE=" + cert, "PROOF_TLS_KEY_FILE=" + key}, env...)...)
}

// get2 opens a path and fails the test where it cannot.
func get2(t *testing.T, c *http.Client, url string) *http.Response {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// awaitLine reads until a line begins so.
func awaitLine(t *testing.T, r *bufio.Reader, prefix string) string {
	t.Helper()
	found := make(chan string, 1)
	go func() {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				found <- "error: " + err.Error()
				return
			}
			if strings.HasPrefix(line, prefix) {
				found <- line
				return
			}
		}
	}()
	select {
	case line := <-found:
		if !strings.HasPrefix(line, prefix) {
			t.Fatalf("waiting for %q: %s", prefix, line)
		}
		return line
	case <-time.After(patience):
		t.Fatalf("waited in vain for %q", prefix)
		return ""
	}
}

// postSecured posts a signup by a client of the test's choice.
func postSecured(t *testing.T, c *http.Client, url, name string) *http.Response {
	t.Helper()
	r, err := http.NewRequest("POST", url+"/signup", strings.NewReader("user_name="+name))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+testKey)
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != 200 {
		t.Fatalf("post: %d", resp.StatusCode)
	}
	return resp
}

// Streams and posts share one connection, and a drain ends the streams as it does all others.
func TestTLSCarriesStreamsOnHTTP2(t *testing.T) {
	a := newAuthority(t, "proof.example.com")
	p := startSecured(t, a, "PROOF_SHUTDOWN_GRACE=3s")
	if !strings.HasPrefix(p.url, "https://") {
		t.Fatalf("the program says that it serves %s", p.url)
	}
	c := a.client(t)
	var streams []*bufio.Reader
	for range 3 {
		resp := get2(t, c, p.url+"/events")
		if resp.ProtoMajor != 2 {
			t.Fatalf("the stream is %s", resp.Proto)
		}
		r := bufio.NewReader(resp.Body)
		awaitLine(t, r, "event: ready")
		streams = append(streams, r)
	}
	resp := postSecured(t, c, p.url, "Ada")
	if resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("the post was answered with %s, %v", resp.Proto, resp.Header)
	}
	for _, r := range streams {
		awaitLine(t, r, "event: signup")
	}
	p.term()
	for _, r := range streams {
		awaitLine(t, r, "event: busy")
	}
	if status := p.wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// An idle stream outlives the time that a single write may take.
func TestTLSIdleStreamOnHTTP2LivesOn(t *testing.T) {
	t.Parallel() // it mostly waits
	a := newAuthority(t, "proof.example.com")
	p := startSecured(t, a, "PROOF_HEARTBEAT=1h")
	c := a.client(t)
	resp := get2(t, c, p.url+"/events")
	r := bufio.NewReader(resp.Body)
	awaitLine(t, r, "event: ready")
	time.Sleep(16 * time.Second) // the limit on a write is 15 s
	postSecured(t, c, p.url, "Ada")
	awaitLine(t, r, "event: signup")
}

// Who reads nothing is let go on HTTP/2 too.
func TestTLSStuckReaderOnHTTP2IsLetGo(t *testing.T) {
	t.Parallel() // it mostly waits
	a := newAuthority(t, "proof.example.com")
	ops := freeAddress(t)
	p := startSecured(t, a, "PROOF_METRICS_ADDR="+ops)
	c, poster := a.client(t), a.client(t)
	c.Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}
	awaitLine(t, bufio.NewReader(get2(t, c, p.url+"/events").Body), "event: ready")
	deadline := time.Now().Add(patience)
	for n := 0; ; n++ { // many more than the client's window takes
		postSecured(t, poster, p.url, strings.Repeat("x", 120))
		if n%50 != 0 {
			continue
		}
		b := (&program{t: t, url: "http://" + ops}).get(t, "/metrics").body
		if strings.Contains(b, "proofstream_streams_ended_total{reason=\"slow\"} 1") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the stuck reader is still there after %d posts:\n%s", n, b)
		}
	}
}

// Under TLS too, HTTP/1 connections are taken over from net/http, and their end is noticed.
func TestTLSCarriesStreamsOnHTTP1(t *testing.T) {
	a := newAuthority(t, "proof.example.com")
	p := startSecured(t, a)
	c := a.client(t)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(p.url, "https://"), &tls.Config{RootCAs: a.pool, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	if line := awaitLine(t, r, "HTTP/1.1 "); line != "HTTP/1.1 200 OK\r\n" {
		t.Fatalf("got %q", line)
	}
	awaitLine(t, r, "event: ready")
	for _, name := range []string{"Ada", "Grace"} {
		postSecured(t, c, p.url, name)
		awaitLine(t, r, "event: signup")
		if line := awaitLine(t, r, "data: "); !strings.Contains(line, name) {
			t.Fatalf("got %q, want %s", line, name)
		}
		awaitLine(t, r, "id: ")
	}
	conn.Close()
	deadline := time.Now().Add(patience)
	for {
		resp := get2(t, c, p.url+"/stats")
		if b, _ := io.ReadAll(resp.Body); strings.Contains(string(b), `"subscribers":0`) {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("the closed stream is still counted: %s", b)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// serial returns which certificate a new connection gets.
func serial(t *testing.T, address string, a authority) string {
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
	c := first.client(t)
	r := bufio.NewReader(get2(t, c, p.url+"/events").Body)
	awaitLine(t, r, "event: ready")
	before := serial(t, address, first)

	if err := os.WriteFile(key, second.key, 0o600); err != nil { // half of a renewal
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); !strings.Contains(p.stderr.String(), "the one before stays"); {
		if got := serial(t, address, first); got != before {
			t.Fatalf("with half of a renewal: certificate %s, want %s", got, before)
		}
		if time.Now().After(deadline) {
			t.Fatal("a pair that does not fit is not told")
		}
		time.Sleep(20 * time.Millisecond)
	}
	second.write(t, dir)
	for deadline := time.Now().Add(patience); serial(t, address, second) == before; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not served")
		}
	}
	p.awaitLog("certificate reloaded")
	postSecured(t, second.client(t), p.url, "Ada")
	awaitLine(t, r, "event: signup") // on the stream from before
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
	resp := get2(t, c, p.url+"/events")
	if resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("got %s %v", resp.Proto, resp.Header)
	}
	awaitLine(t, bufio.NewReader(resp.Body), "event: ready")
	if _, err := tls.Dial("tcp", strings.TrimPrefix(p.url, "https://"), &tls.Config{ServerName: "other.example.com", InsecureSkipVerify: true}); err == nil {
		t.Error("a certificate is served for a name that was not given")
	}
	r, err := http.NewRequest("GET", "http://127.0.0.7/live?x=y", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	resp, err = (&http.Transport{}).RoundTrip(r)
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
