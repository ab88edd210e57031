package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
)

// The files for containers use variables and ports that exist, and give the service more time to stop than it takes by default.
func TestDeploymentFilesAgreeWithTheService(t *testing.T) {
	example := e2e.TextOf(t, ".env.example")
	grace, err := time.ParseDuration(regexp.MustCompile(`(?m)^#PROOF_SHUTDOWN_GRACE=(\S+)`).FindStringSubmatch(example)[1])
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		grace *regexp.Regexp // the time to stop, in seconds
		lines []string       // what the file must say
	}{
		"compose.yaml": {regexp.MustCompile(`stop_grace_period: (\d+)s\n`),
			[]string{"127.0.0.1:6009:6009\n", "read_only: true\n", "cap_drop: [ALL]\n", "no-new-privileges:true", "- data:/data\n"}},
		"kubernetes.yaml": {regexp.MustCompile(`terminationGracePeriodSeconds: (\d+)\n`),
			[]string{"containerPort: 6009}", "kind: StatefulSet\n", "replicas: 1\n", "enableServiceLinks: false\n", "readOnlyRootFilesystem: true\n",
				"runAsNonRoot: true\n", "allowPrivilegeEscalation: false\n", "capabilities: {drop: [ALL]}\n", "mountPath: /data}",
				"readinessProbe:\n            httpGet: {path: /ready,", "livenessProbe:\n            httpGet: {path: /live,"}},
	}
	for name, tt := range tests {
		text := e2e.TextOf(t, ".github/deploy/"+name)
		for _, line := range tt.lines {
			if !strings.Contains(text, line) {
				t.Errorf("%s lacks %q", name, line)
			}
		}
		for _, m := range regexp.MustCompile(`(?m)^\s*(PROOF_[A-Z0-9_]+):`).FindAllStringSubmatch(text, -1) {
			if !strings.Contains(example, "\n#"+m[1]+"=") {
				t.Errorf("%s sets %s, which does not exist", name, m[1])
			}
		}
		m := tt.grace.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%s has no time to stop", name)
		}
		if seconds, _ := strconv.Atoi(m[1]); time.Duration(seconds)*time.Second <= grace {
			t.Errorf("%s gives %s s to stop, want more than %s", name, m[1], grace)
		}
	}
}

// The service accepts the configuration that each file gives it, with the path of its keys changed to one that exists here.
func TestDeploymentFilesConfigureTheService(t *testing.T) {
	for _, name := range []string{"compose.yaml", "kubernetes.yaml"} {
		keys := filepath.Join(t.TempDir(), "api_keys")
		if err := os.WriteFile(keys, []byte("0123456789abcdef0123456789abcdef\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var env []string
		for _, m := range regexp.MustCompile(`(?m)^\s*(PROOF_[A-Z0-9_]+): (\S+)$`).FindAllStringSubmatch(e2e.TextOf(t, ".github/deploy/"+name), -1) {
			switch m[1] {
			case "PROOF_API_KEYS_FILE":
				m[2] = keys
			case "PROOF_METRICS_ADDR":
				m[2] = "127.0.0.1:0"
			}
			env = append(env, m[1]+"="+m[2])
		}
		if len(env) < 4 {
			t.Errorf("%s: found only %q", name, env)
		}
		if p := e2e.Start(t, append(env, "PROOF_LOG_FORMAT=text")...); !p.Ready() { // the harness reads text
			t.Errorf("%s: the service is not ready with %q", name, env)
		}
	}
}

// The image runs as a numeric user that is not root, its data directory is writable for group 0, and it checks its own health.
func TestImageIsMadeForUnprivilegedUsers(t *testing.T) {
	text := e2e.TextOf(t, "cmd/proofstream/Containerfile")
	for _, line := range []string{"\nFROM scratch\n", "\nUSER 65532:0\n", "mkdir -m 0770 /out/data\n", "--chown=65532:0 /out/data /data\n",
		`CMD ["/proofstream", "healthcheck"]`, "\nEXPOSE 6009\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("the Containerfile lacks %q", line)
		}
	}
}
