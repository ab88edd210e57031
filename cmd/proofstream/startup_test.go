package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each reason not to start is told in one message that says what to do, with the status that supervisors decide on.
func TestReasonsNotToStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	locked := t.TempDir()
	start(t, "PROOF_DATA_DIR="+locked)
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
		{"a locked directory", []string{"PROOF_DATA_DIR=" + locked, "PROOF_SHUTDOWN_GRACE=300ms"}, 1, []string{"waiting for", locked, "PROOF_DATA_DIR"}},
		{"a file for a directory", []string{"PROOF_DATA_DIR=" + file}, 1, []string{file, "PROOF_DATA_DIR"}},
		{"a directory that nobody may write", []string{"PROOF_DATA_DIR=/proc/nowhere"}, 1, []string{"/proc/nowhere", "PROOF_DATA_DIR"}},
		{"several bad variables", []string{"PROOF_RETAIN=many", "PROOF_ADDRR=:1", "PROOF_API_KEYS=short", "PROOF_ALLOWED_ORIGINS=https://*evil.example"},
			2, []string{"PROOF_RETAIN", "PROOF_ADDRR", "PROOF_ADDR", "PROOF_API_KEYS", "PROOF_ALLOWED_ORIGINS"}},
		{"an empty key file", []string{"PROOF_API_KEYS_FILE=" + file}, 2, []string{"PROOF_API_KEYS_FILE"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := launch(t, test.env...)
			if got := p.wait(); got != test.status {
				t.Errorf("got status %d, want %d", got, test.status)
			}
			said := p.stderr.String()
			for _, want := range test.says {
				if !strings.Contains(said, want) {
					t.Errorf("does not say %s:\n%s", want, said)
				}
			}
			if strings.Contains(said, "goroutine") || strings.Contains(said, "short\n") || strings.Count(said, "proofstream: ") != 1 {
				t.Errorf("not one message:\n%s", said)
			}
		})
	}
}

// No key is told of but the one made up for the run, wherever the program writes.
func TestKeysAreNotTold(t *testing.T) {
	p := start(t, "PROOF_LOG_LEVEL=debug")
	p.post(t, "user_name=Ada")
	p.ask(t, "POST", "/signup?api_key="+testKey, "api_key=wrong-"+testKey, "Content-Type: application/x-www-form-urlencoded")
	p.ask(t, "GET", "/"+testKey+"%0a%1b[31mx", "")
	p.term()
	p.wait()
	if said := p.stderr.String(); strings.Contains(said, testKey) || strings.Contains(said, "\x1b") {
		t.Errorf("the log has the key, or what a visitor would colour it with:\n%s", said)
	}
}
