package e2e

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

	"proofstream/stream/waitfor"
)

// Recipe returns the proxy configuration .github/proxies/name, with changes applied as by strings.NewReplacer. It fails the test when
// a text to replace is missing. The README of cmd/proofstream shows the configuration word for word.
func Recipe(t *testing.T, name string, changes ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(Root, ".github/proxies", name))
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

// NginxByRecipe returns the command of an nginx in front of p, configured as the README says, that listens on address. It does not
// start it.
func NginxByRecipe(t *testing.T, p *Program, a Authority, address string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	cert, key := a.Write(t, dir)
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf("worker_processes 1;\npid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n", dir)
	for _, body := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		text += fmt.Sprintf("%s_temp_path %s/%s;\n", body, dir, body)
	}
	text += Recipe(t, "nginx.conf", "127.0.0.1:6009", strings.TrimPrefix(p.URL, "http://"), "listen 443 ", "listen "+address+" ",
		"/etc/ssl/proof.example.com.pem", cert, "/etc/ssl/proof.example.com.key", key) + "}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return exec.Command("nginx", "-p", dir, "-c", config, "-g", "daemon off; user root;")
}

// StartProxy starts a proxy that listens on address, waits until /ready succeeds through it, and returns the service as a visitor
// reaches it through the proxy.
func StartProxy(t *testing.T, a Authority, address string, proxy *exec.Cmd) Server {
	t.Helper()
	out, _ := StartProcess(t, proxy)
	t.Cleanup(func() { // the workers of nginx survive a kill of their master
		_ = proxy.Process.Signal(os.Interrupt)
		waitfor.Within(waitfor.Patience, out.Ended)
	})
	front := Server{URL: "https://proof.example.com:" + address[strings.LastIndex(address, ":")+1:], Key: TestKey, Client: visitorThrough(t, a, address)}
	waitfor.Until(t, waitfor.Patience, func() bool { a, _ := front.TryRequest("GET", "/ready", ""); return a.Status == 200 }, out.String)
	return front
}

// visitorThrough returns the HTTP client of a visitor at 127.0.0.9, which is no trusted proxy. Every host name resolves to the
// proxy's address.
func visitorThrough(t *testing.T, a Authority, address string) *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: a.Pool},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, address)
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}
