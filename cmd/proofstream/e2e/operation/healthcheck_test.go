package operation

import (
	"path/filepath"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// healthcheck asks the service that the same environment configures, over HTTP or HTTPS, and tells by its status.
func TestHealthcheck(t *testing.T) {
	authority := e2e.NewAuthority(t, "127.0.0.1")
	cert, key := authority.Write(t, t.TempDir())
	secure := []string{"PROOF_TLS_CERT_FILE=" + cert, "PROOF_TLS_KEY_FILE=" + key}
	for name, environ := range map[string][]string{"HTTP": nil, "HTTPS": secure} {
		t.Run(name, func(t *testing.T) {
			p := e2e.Start(t, environ...)
			_, address, _ := strings.Cut(p.URL, "://")
			same := append([]string{"PROOF_ADDR=" + address}, environ...)
			stdout, stderr, status := e2e.RunProgram(t, same, "healthcheck")
			if status != 0 || stdout != "ready\n" || stderr != "" {
				t.Errorf("got status %d, %q and %q, want 0 and ready", status, stdout, stderr)
			}
			p.Stop()
			stdout, stderr, status = e2e.RunProgram(t, same, "healthcheck")
			if status != 1 || stdout != "" || !strings.HasPrefix(stderr, "proofstream: not ready: ") || strings.Count(stderr, "\n") != 1 {
				t.Errorf("after the end: got status %d, %q and %q, want 1 and one line", status, stdout, stderr)
			}
		})
	}
	if _, stderr, status := e2e.RunProgram(t, []string{"PROOF_RETAIN=0"}, "healthcheck"); status != 2 || !strings.Contains(stderr, "PROOF_RETAIN") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("a wrong configuration: got status %d and %q, want 2", status, stderr)
	}
}

// Of a service on all addresses, healthcheck asks over IPv6 where there is no IPv4.
func TestHealthcheckWithoutIPv4(t *testing.T) {
	p := e2e.Start(t, "PROOF_ADDR=[::1]:0")
	same := "PROOF_ADDR=" + strings.Replace(p.URL, "http://[::1]", "", 1)
	if stdout, stderr, status := e2e.RunProgram(t, []string{same}, "healthcheck"); status != 0 {
		t.Errorf("got status %d, %q and %q, want 0", status, stdout, stderr)
	}
}

// check prints every setting and no secret, or every problem, and makes nothing.
func TestCheck(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	const secret = "a-secret-that-nobody-may-see"
	stdout, stderr, status := e2e.RunProgram(t, []string{"PROOF_DATA_DIR=" + dir, "PROOF_API_KEYS=" + secret + "1," + secret + "2", "PROOF_RETAIN=77",
		"PROOF_HOOKS_0_NAME=orders", "PROOF_HOOKS_0_FROM=shopify", "PROOF_HOOKS_0_SECRET=" + secret}, "check")
	for _, line := range []string{"PROOF_RETAIN=77\n", "PROOF_HEARTBEAT=15s\n", "PROOF_API_KEYS=2 keys\n", "PROOF_HOOKS_0_FROM=shopify\n", "PROOF_HOOKS_0_SECRET=1 secret\n"} {
		if !strings.Contains(stdout, line) {
			t.Errorf("got %s, want %s in it", stdout, line)
		}
	}
	if status != 0 || stderr != "" || strings.Contains(stdout, secret) {
		t.Errorf("got status %d, %s%s", status, stdout, stderr)
	}
	_, stderr, status = e2e.RunProgram(t, []string{"PROOF_DATA_DIR=" + dir, "PROOF_RETAIN=0", "PROOF_HEARTBEAT=soon"}, "check")
	if status != 2 || !strings.Contains(stderr, "PROOF_RETAIN") || !strings.Contains(stderr, "PROOF_HEARTBEAT") {
		t.Errorf("two mistakes: got status %d and %s", status, stderr)
	}
	if found, _ := filepath.Glob(dir); len(found) > 0 {
		t.Error("check made the data directory")
	}
}
