package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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
	slow(t)
	need(t, "nginx")
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
	slow(t)
	caddy, err := exec.LookPath("caddy")
	if err != nil {
		t.Skip("no caddy: install it to run this test")
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

// throughProxy starts a proxy and checks the service through it.
func throughProxy(t *testing.T, p *program, a authority, address string, proxy *exec.Cmd) {
	t.Helper()
	front := startProxy(t, a, address, proxy)
	checkStreamsPassAtOnce(t, p, front)
	checkVisitorsAreDistinguished(t, front)
}

// startProxy starts a proxy, and returns the service as a visitor sees it through that, once it answers.
func startProxy(t *testing.T, a authority, address string, proxy *exec.Cmd) server {
	t.Helper()
	out, _ := startProcess(t, proxy)
	t.Cleanup(func() { // its children do not end with a kill
		_ = proxy.Process.Signal(os.Interrupt)
		comes(patience, out.hasEnded)
	})
	front := server{url: "https://proof.example.com:" + address[strings.LastIndex(address, ":")+1:], key: testKey, client: visitorThrough(t, a, address)}
	until(t, patience, func() bool { a, _ := front.try("GET", "/ready", ""); return a.status == 200 }, out.String)
	return front
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

// checkStreamsPassAtOnce: the first bytes and each event come through as they are sent, over HTTP/2.
func checkStreamsPassAtOnce(t *testing.T, p *program, front server) {
	t.Helper()
	s := front.listen(t, "")
	s.ready(t)
	for i := range 5 {
		id := p.post(t, fmt.Sprintf("user_name=Visitor%d", i))
		if e := s.awaitEvents(t, "signup", i+1)[i]; e.id != id {
			t.Errorf("event %d is %s, want %s", i, e.id, id)
		}
	}
	if s.proto != 2 || s.head.Get("Strict-Transport-Security") == "" {
		t.Errorf("the proxy answers with HTTP/%d, HSTS %q", s.proto, s.head.Get("Strict-Transport-Security"))
	}
	s.close()
	if a := front.get(t, "/stats", "Origin: "+front.url); a.status != 200 {
		t.Errorf("a page of the service's own origin: %d", a.status)
	}
}

// checkVisitorsAreDistinguished: limits apply to the visitor's address, whatever X-Forwarded-For it sends.
func checkVisitorsAreDistinguished(t *testing.T, front server) {
	t.Helper()
	for i := range 21 {
		a := front.ask(t, "POST", "/signup", "user_name=A", "Content-Type: application/x-www-form-urlencoded",
			"X-API-Key: not-the-key", fmt.Sprintf("X-Forwarded-For: 198.51.100.%d", i))
		if want := map[bool]int{true: 429, false: 401}[i == 20]; a.status != want {
			t.Fatalf("wrong key %d: got %d, want %d", i+1, a.status, want)
		}
	}
}
