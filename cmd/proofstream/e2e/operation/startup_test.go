package operation

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// When the service cannot start, it prints one message that names what to change. The status is 2 for a wrong configuration, else 1.
func TestReasonsNotToStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	locked := t.TempDir()
	e2e.Start(t, "PROOF_DATA_DIR="+locked)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		env    []string
		status int
		says   []string
	}{
		{"a taken port", []string{"PROOF_ADDR=" + taken.Addr().String()}, 1, []string{taken.Addr().String(), "PROOF_ADDR"}},
		{"a taken metrics port", []string{"PROOF_METRICS_ADDR=" + taken.Addr().String()}, 1, []string{taken.Addr().String() + " is taken", "PROOF_METRICS_ADDR", "off"}},
		{"a locked directory", []string{"PROOF_DATA_DIR=" + locked, "PROOF_SHUTDOWN_GRACE=300ms"}, 1, []string{"waiting for", locked, "PROOF_DATA_DIR"}},
		{"a file for a directory", []string{"PROOF_DATA_DIR=" + file}, 1, []string{file, "PROOF_DATA_DIR"}},
		{"a directory that cannot be written", []string{"PROOF_DATA_DIR=/proc/nowhere"}, 1, []string{"/proc/nowhere", "PROOF_DATA_DIR"}},
		{"several bad variables", []string{"PROOF_RETAIN=many", "PROOF_ADDRR=:1", "PROOF_API_KEYS=short", "PROOF_ALLOWED_ORIGINS=https://*evil.example"},
			2, []string{"PROOF_RETAIN", "PROOF_ADDRR", "PROOF_ADDR", "PROOF_API_KEYS", "PROOF_ALLOWED_ORIGINS"}},
		{"an empty key file", []string{"PROOF_API_KEYS_FILE=" + file}, 2, []string{"PROOF_API_KEYS_FILE"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := e2e.Launch(t, test.env...)
			if got := p.Wait(); got != test.status {
				t.Errorf("got status %d, want %d", got, test.status)
			}
			log := p.Stderr.String()
			for _, want := range test.says {
				if !strings.Contains(log, want) {
					t.Errorf("does not say %s:\n%s", want, log)
				}
			}
			if strings.Contains(log, "goroutine") || strings.Contains(log, "short\n") || strings.Count(log, "proofstream: ") != 1 {
				t.Errorf("want one message, without a stack or a key:\n%s", log)
			}
		})
	}
}
