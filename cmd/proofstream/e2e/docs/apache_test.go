package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// Streams pass Apache at once, limits apply to the visitor's address, and a redirect to HTTPS keeps a POST a POST.
func TestApacheRecipe(t *testing.T) {
	e2e.Slow(t)
	e2e.Need(t, "apache2")
	p, a, address := proxied(t)
	plain := e2e.FreeAddress(t)
	defer p.Kill() // Apache stops once its streams have ended
	throughProxy(t, p, a, address, apacheByRecipe(t, p, a, address, plain, ""))
	checkRedirect(t, plain)
}

// apacheByRecipe returns the command of an Apache in front of p, configured as the README says, with more directives in its HTTPS host.
// It redirects from the address plain.
func apacheByRecipe(t *testing.T, p *e2e.Program, a e2e.Authority, address, plain, more string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	cert, key := a.Write(t, dir)
	text := fmt.Sprintf("ServerRoot %s\nPidFile %s/pid\nErrorLog /dev/stderr\nServerName localhost\nListen %s\nListen %s\n", dir, dir, address, plain)
	if os.Getuid() == 0 {
		text += "User nobody\nGroup nogroup\n"
	}
	for _, module := range []string{"mpm_event", "authz_core", "alias", "headers", "socache_shmcb", "ssl", "http2", "proxy", "proxy_http"} {
		text += fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", module, module)
	}
	text += e2e.Recipe(t, "apache.conf", "http://127.0.0.1:6009", p.URL, "*:443", address, "*:80", plain,
		"/etc/ssl/proof.example.com.pem", cert, "/etc/ssl/proof.example.com.key", key, "    ProxyPreserveHost", more+"    ProxyPreserveHost")
	config := filepath.Join(dir, "apache.conf")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return exec.Command("apache2", "-D", "FOREGROUND", "-f", config)
}

// checkRedirect checks that the proxy redirects each method from the address plain to HTTPS with status 308.
func checkRedirect(t *testing.T, plain string) {
	t.Helper()
	out, err := exec.Command("curl", "-s", "-o", os.DevNull, "-w", "%{http_code} %{redirect_url}", "-d", "user_name=Ada",
		"-H", "Host: proof.example.com", "http://"+plain+"/signup?a=b").CombinedOutput()
	if want := "308 https://proof.example.com/signup?a=b"; err != nil || string(out) != want {
		t.Errorf("a post without TLS: got %q (%v), want %q", out, err, want)
	}
}

// The redirect recipe for nginx keeps a POST a POST, and below /proof/ the path recipe offers all that the service offers.
func TestNginxRecipesForPathAndRedirect(t *testing.T) {
	e2e.Slow(t)
	e2e.Need(t, "nginx")
	p, a, address := proxied(t)
	plain := e2e.FreeAddress(t)
	proxy := e2e.NginxByRecipe(t, p, a, address)
	config := proxy.Args[4]
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	path := e2e.Recipe(t, "nginx-path.conf", "http://127.0.0.1:6009", p.URL)
	text = []byte(strings.Replace(string(text), "    location / {", path+"    location / {", 1))
	text = append(text[:len(text)-2], e2e.Recipe(t, "nginx-redirect.conf", "listen 80", "listen "+plain)+"}\n"...) // the last line closes http
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	checkBelowAPath(t, p, e2e.StartProxy(t, a, address, proxy))
	checkRedirect(t, plain)
}

// Below /proof/ Apache offers all that the service offers.
func TestApacheRecipeForAPath(t *testing.T) {
	e2e.Slow(t)
	e2e.Need(t, "apache2")
	p, a, address := proxied(t)
	defer p.Kill() // Apache stops once its streams have ended
	path := e2e.Recipe(t, "apache-path.conf", "http://127.0.0.1:6009", p.URL)
	checkBelowAPath(t, p, e2e.StartProxy(t, a, address, apacheByRecipe(t, p, a, address, e2e.FreeAddress(t), path)))
}

// Below /proof/ Caddy offers all that the service offers.
func TestCaddyRecipeForAPath(t *testing.T) {
	e2e.Slow(t)
	e2e.Need(t, "caddy")
	p, a, address := proxied(t)
	path := e2e.Recipe(t, "Caddyfile-path", "127.0.0.1:6009", strings.TrimPrefix(p.URL, "http://"))
	checkBelowAPath(t, p, e2e.StartProxy(t, a, address, caddyByRecipe(t, p, a, address, path)))
}

// caddyByRecipe returns the command of a Caddy with more directives for the host proof.example.com.
func caddyByRecipe(t *testing.T, p *e2e.Program, a e2e.Authority, address, more string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	cert, key := a.Write(t, dir)
	host, port, _ := strings.Cut(address, ":")
	text := "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" +
		e2e.Recipe(t, "Caddyfile", "127.0.0.1:6009", strings.TrimPrefix(p.URL, "http://"),
			"proof.example.com {", fmt.Sprintf("proof.example.com:%s {\n\tbind %s\n\ttls %s %s\n%s", port, host, cert, key, more))
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("caddy", "run", "--config", config, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	return cmd
}

// checkBelowAPath checks the demo page, the widget, a stream, a post with a slash at its end and an erasure below /proof/ of front.
func checkBelowAPath(t *testing.T, p *e2e.Program, front e2e.Server) {
	t.Helper()
	origin := front.URL
	front.URL += "/proof"
	for path, want := range map[string]string{"/": "proof.js", "/assets/proof.js": "customElements", "/ready": "ready"} {
		if a := front.Get(t, path); a.Status != 200 || !strings.Contains(a.Body, want) {
			t.Errorf("/proof%s: got %d %.80q, want %q in it", path, a.Status, a.Body, want)
		}
	}
	s := front.Listen(t, "", "Origin: "+origin)
	s.Ready(t)
	id := front.Post(t, "user_name=Ada")
	if got := s.AwaitEvents(t, "signup", 1)[0].ID; got != id {
		t.Errorf("the stream has %s, want %s", got, id)
	}
	front.Erase(t, id)
	s.AwaitEvents(t, "retract", 1)
	s.Close()
	if a := p.Get(t, "/recent"); strings.Contains(a.Body, id) {
		t.Errorf("the erased signup is in %s", a.Body)
	}
}
