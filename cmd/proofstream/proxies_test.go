package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The recipes in .github/proxies stand in this room's README word for word, and are run here.
func recipe(t *testing.T, name string, changes ...string) string {
	t.Helper()
	text, err := os.ReadFile("../../.github/proxies/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(string(text), changes[i]) {
			t.Fatalf("%s has no %q", name, changes[i])
		}
	}
	return strings.NewReplacer(changes...).Replace(string(text))
}

func TestReadmeHasTheProxyRecipes(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nginx.conf", "Caddyfile"} {
		if !strings.Contains(string(readme), recipe(t, name)) {
			t.Errorf("the README lacks .github/proxies/%s", name)
		}
	}
}

func TestNginxRecipe(t *testing.T) {
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Skip("there is no nginx here")
	}
	p, a, address := proxied(t)
	throughProxy(t, p, a, address, nginxByRecipe(t, p, a, address))
}

// nginxByRecipe is an nginx as the README sets it up, not started yet.
func nginxByRecipe(t *testing.T, p *program, a authority, address string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	cert, key := a.write(t, dir)
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf("worker_processes 1;\npid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n", dir)
	for _, body := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		text += fmt.Sprintf("%s_temp_path %s/%s;\n", body, dir, body)
	}
	text += recipe(t, "nginx.conf", "127.0.0.1:6009", strings.TrimPrefix(p.url, "http://"), "listen 443 ", "listen "+address+" ",
		"/etc/ssl/proof.example.com.pem", cert, "/etc/ssl/proof.example.com.key", key) + "}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return exec.Command("nginx", "-p", dir, "-c", config, "-g", "daemon off; user root;")
}

func TestCaddyRecipe(t *testing.T) {
	caddy, err := exec.LookPath("caddy")
	if err != nil {
		t.Skip("there is no caddy here")
	}
	p, a, address := proxied(t)
	dir := t.TempDir()
	cert, key := a.write(t, dir)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "Caddyfile")
	text := "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" +
		recipe(t, "Caddyfile", "127.0.0.1:6009", strings.TrimPrefix(p.url, "http://"),
			"proof.example.com {", fmt.Sprintf("proof.example.com:%s {\n\tbind %s\n\ttls %s %s", port, host, cert, key))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(caddy, "run", "--config", config, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	throughProxy(t, p, a, address, cmd)
}

// proxied starts a program that trusts the loopback's first address as its proxy, and finds an
// address for that.
func proxied(t *testing.T) (*program, authority, string) {
	t.Helper()
	return start(t, "PROOF_TRUSTED_PROXIES=127.0.0.1/32"), newAuthority(t, "proof.example.com"), freeAddress(t)
}

// throughProxy starts a proxy and looks through it at the service.
func throughProxy(t *testing.T, p *program, a authority, address string, proxy *exec.Cmd) {
	t.Helper()
	front, visitor := behind(t, a, address, proxy)
	streamsPassAtOnce(t, p, front, visitor)
	visitorsAreToldApart(t, front, visitor)
}

// behind starts a proxy, and returns the service as it is seen through it, with a visitor, once it answers.
func behind(t *testing.T, a authority, address string, proxy *exec.Cmd) (front *program, visitor *http.Client) {
	t.Helper()
	said := newJournal()
	proxy.Stderr, proxy.Stdout = said, said
	dieWithUs(proxy)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = proxy.Process.Signal(os.Interrupt)
		proxy.Wait()
		if t.Failed() {
			t.Logf("the proxy said:\n%s", said)
		}
	})
	front = &program{t: t, url: "https://proof.example.com:" + address[strings.LastIndex(address, ":")+1:], key: testKey}
	visitor = visitorThrough(t, a, address)
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		resp, err := visitor.Get(front.url + "/ready")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == 200 {
				return front, visitor
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the proxy does not serve: %v\n%s", err, said)
		}
	}
}

// visitorThrough is a browser at 127.0.0.9, which the service does not trust, that finds
// proof.example.com at the proxy.
func visitorThrough(t *testing.T, a authority, address string) *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: a.pool},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, address)
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// streamsPassAtOnce: the first bytes and each event come through as they are sent, over HTTP/2, and
// a drain ends the stream so that the browser comes back.
func streamsPassAtOnce(t *testing.T, p, front *program, visitor *http.Client) {
	t.Helper()
	s := newSource(func() string { return front.url + "/events" })
	s.client = visitor
	s.start(t, false)
	defer s.close()
	s.awaitEvents(t, "ready", 1)
	for i := range 5 {
		id := p.post(t, fmt.Sprintf("user_name=Visitor%d", i))
		events := s.awaitEvents(t, "signup", i+1)
		if e := events[i]; e.id != id {
			t.Errorf("event %d is %s, want %s", i, e.id, id)
		}
	}
	resp, err := visitor.Get(front.url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("the proxy answers with %s, HSTS %q", resp.Proto, resp.Header.Get("Strict-Transport-Security"))
	}
	own, err := http.NewRequest("GET", front.url+"/stats", nil)
	if err != nil {
		t.Fatal(err)
	}
	own.Header.Set("Origin", front.url)
	if resp, err = visitor.Do(own); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("a page of the service's own origin: %d", resp.StatusCode)
	}
}

// visitorsAreToldApart: limits count the visitor, whatever that one claims to be.
func visitorsAreToldApart(t *testing.T, front *program, visitor *http.Client) {
	t.Helper()
	for i := range 21 {
		r, err := http.NewRequest("POST", front.url+"/signup", strings.NewReader("user_name=A"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-API-Key", "not-the-key")
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i))
		resp, err := visitor.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if want := map[bool]int{true: 429, false: 401}[i == 20]; resp.StatusCode != want {
			t.Fatalf("wrong key %d: got %d, want %d", i+1, resp.StatusCode, want)
		}
	}
}
