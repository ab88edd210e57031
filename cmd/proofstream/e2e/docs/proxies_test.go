package docs

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// The README shows the tested proxy configurations word for word.
func TestReadmeHasTheProxyRecipes(t *testing.T) {
	readme := e2e.TextOf(t, "cmd/proofstream/README.md")
	for _, name := range []string{"nginx.conf", "Caddyfile"} {
		if !strings.Contains(readme, e2e.Recipe(t, name)) {
			t.Errorf("the README lacks .github/proxies/%s", name)
		}
	}
}

// Streams pass nginx at once, and limits apply to the visitor's address.
func TestNginxRecipe(t *testing.T) {
	e2e.Slow(t)
	e2e.Need(t, "nginx")
	p, a, address := proxied(t)
	throughProxy(t, p, a, address, e2e.NginxByRecipe(t, p, a, address))
	checkPostsOfThoseWhoCloseAtOnce(t, p, a, address)
}

// When the service stops, nginx writes one error for each stream, the line that the README names, and no other.
func TestNginxLogsTheLineThatTheReadmeNames(t *testing.T) {
	e2e.Slow(t)
	e2e.Need(t, "nginx")
	const line = "upstream prematurely closed connection while reading upstream"
	if !strings.Contains(e2e.TextOf(t, "cmd/proofstream/README.md"), "`"+line+"`") {
		t.Errorf("the README lacks %q", line)
	}
	p, a, address := proxied(t)
	proxy := e2e.NginxByRecipe(t, p, a, address)
	log := filepath.Join(t.TempDir(), "error.log")
	proxy.Args = append(proxy.Args, "-e", log)
	config := proxy.Args[4]
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(strings.Replace(string(text), "error_log stderr;", "error_log "+log+";", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	front := e2e.StartProxy(t, a, address, proxy)
	const streams = 5
	for range streams {
		front.Listen(t, "").Ready(t)
	}
	errors := func() (lines []string) {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	p.Stop()
	waitfor.Until(t, waitfor.Patience, func() bool { return len(errors()) >= streams }, func() string { return strings.Join(errors(), "\n") })
	for _, got := range errors() {
		if !strings.Contains(got, "[error]") || !strings.Contains(got, line) {
			t.Errorf("nginx writes %s", got)
		}
	}
	if got := len(errors()); got != streams {
		t.Errorf("nginx writes %d lines for %d streams", got, streams)
	}
}

// Streams pass Caddy at once, and limits apply to the visitor's address.
func TestCaddyRecipe(t *testing.T) {
	e2e.Slow(t)
	e2e.Need(t, "caddy")
	p, a, address := proxied(t)
	dir := t.TempDir()
	cert, key := a.Write(t, dir)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "Caddyfile")
	text := "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" +
		e2e.Recipe(t, "Caddyfile", "127.0.0.1:6009", strings.TrimPrefix(p.URL, "http://"),
			"proof.example.com {", fmt.Sprintf("proof.example.com:%s {\n\tbind %s\n\ttls %s %s", port, host, cert, key))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("caddy", "run", "--config", config, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	throughProxy(t, p, a, address, cmd)
}

// proxied starts a program that trusts 127.0.0.1 as its proxy, and returns it with a certificate and a free address for the proxy.
func proxied(t *testing.T) (*e2e.Program, e2e.Authority, string) {
	t.Helper()
	return e2e.Start(t, "PROOF_TRUSTED_PROXIES=127.0.0.1/32"), e2e.NewAuthority(t, "proof.example.com"), e2e.FreeAddress(t)
}

// throughProxy starts a proxy and checks the service through it.
func throughProxy(t *testing.T, p *e2e.Program, a e2e.Authority, address string, proxy *exec.Cmd) {
	t.Helper()
	front := e2e.StartProxy(t, a, address, proxy)
	checkStreamsPassAtOnce(t, p, front)
	checkVisitorsAreDistinguished(t, front)
}

// checkPostsOfThoseWhoCloseAtOnce checks that the proxy passes on the post of a backend that writes it and closes its connection at once.
func checkPostsOfThoseWhoCloseAtOnce(t *testing.T, p *e2e.Program, a e2e.Authority, address string) {
	t.Helper()
	const posts, body = 40, "user_name=Hasty"
	var before, now struct{ Events int }
	stats := func(into any) {
		if err := json.Unmarshal([]byte(p.Get(t, "/stats").Body), into); err != nil {
			t.Fatal(err)
		}
	}
	stats(&before)
	for range posts {
		conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: a.Pool, ServerName: "proof.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /signup HTTP/1.1\r\nHost: proof.example.com\r\nX-API-Key: %s\r\n"+
			"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", e2e.TestKey, len(body), body)
		conn.Close()
	}
	waitfor.Until(t, waitfor.Patience, func() bool { stats(&now); return now.Events == before.Events+posts },
		func() string { return fmt.Sprintf("%d of %d were stored", now.Events-before.Events, posts) })
}

// checkStreamsPassAtOnce checks that the ready event and each signup pass the proxy before the next one is posted, over HTTP/2.
func checkStreamsPassAtOnce(t *testing.T, p *e2e.Program, front e2e.Server) {
	t.Helper()
	s := front.Listen(t, "")
	s.Ready(t)
	for i := range 5 {
		id := p.Post(t, fmt.Sprintf("user_name=Visitor%d", i))
		if e := s.AwaitEvents(t, "signup", i+1)[i]; e.ID != id {
			t.Errorf("event %d is %s, want %s", i, e.ID, id)
		}
	}
	if s.Proto != 2 || s.Head.Get("Strict-Transport-Security") == "" {
		t.Errorf("the proxy responds with HTTP/%d, HSTS %q", s.Proto, s.Head.Get("Strict-Transport-Security"))
	}
	s.Close()
	if a := front.Get(t, "/stats", "Origin: "+front.URL); a.Status != 200 {
		t.Errorf("a page of the service's own origin: %d", a.Status)
	}
}

// checkVisitorsAreDistinguished checks that the limit on wrong keys applies to the visitor's address, whatever X-Forwarded-For it sends.
func checkVisitorsAreDistinguished(t *testing.T, front e2e.Server) {
	t.Helper()
	for i := range 21 {
		a := front.Request(t, "POST", "/signup", "user_name=A", "Content-Type: application/x-www-form-urlencoded",
			"X-API-Key: not-the-key", fmt.Sprintf("X-Forwarded-For: 198.51.100.%d", i))
		if want := map[bool]int{true: 429, false: 401}[i == 20]; a.Status != want {
			t.Fatalf("wrong key %d: got %d, want %d", i+1, a.Status, want)
		}
	}
}
