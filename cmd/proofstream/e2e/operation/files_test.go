package operation

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// A key is rotated and an origin is added and removed by changing files, under open streams and without a signal. No stream ends except that
// of the origin that is no longer allowed, and a backend that goes over to the new key gets no 401.
func TestFilesChangeUnderOpenStreams(t *testing.T) {
	const oldKey, newKey, always = "rotation-old-key-0123", "rotation-new-key-0123", "rotation-always-0123"
	dir := t.TempDir()
	keys, origins := filepath.Join(dir, "keys"), filepath.Join(dir, "origins")
	replace := func(path, text string) { // by renaming, as Kubernetes and editors do
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	replace(keys, oldKey)
	replace(origins, "https://a.example")
	p := e2e.Start(t, "PROOF_API_KEYS="+always, "PROOF_API_KEYS_FILE="+keys, "PROOF_ALLOWED_ORIGINS_FILE="+origins)
	stays, goes := p.Listen(t, ""), p.Listen(t, "", "Origin: https://a.example")
	post := func(key string) int {
		return p.Request(t, "POST", "/signup", "user_name=Ada", "Content-Type: application/x-www-form-urlencoded", "X-API-Key: "+key).Status
	}

	replace(keys, oldKey+"\n"+newKey)
	p.AwaitLog("file reloaded")
	for _, key := range []string{always, oldKey, newKey} {
		if got := post(key); got != 200 {
			t.Errorf("both keys: %s got %d", key, got)
		}
	}
	replace(keys, newKey)
	replace(origins, "https://b.example")
	_ = p.Cmd.Process.Signal(syscall.SIGHUP)
	p.AwaitLog("looking at the files again")
	p.AwaitLog("variable=PROOF_ALLOWED_ORIGINS_FILE")
	goes.Ended(t)
	if got := p.Listen(t, "", "Origin: https://b.example").AllEnds(); len(got) > 0 {
		t.Errorf("the new origin: got %v, want an open stream", got)
	}
	if got := p.Listen(t, "", "Origin: https://a.example").Ended(t).Status; got != 403 {
		t.Errorf("the old origin: got %d, want 403", got)
	}
	for key, want := range map[string]int{always: 200, oldKey: 401, newKey: 200} {
		if got := post(key); got != want {
			t.Errorf("the new key alone: %s got %d, want %d", key, got, want)
		}
	}
	stays.AwaitEvents(t, "signup", 5)
	if ends := stays.AllEnds(); len(ends) > 0 {
		t.Errorf("a stream that has nothing to do with it ended: %v", ends)
	}
	if strings.Contains(p.Stderr.String(), "rotation-") {
		t.Error("a key is in the log")
	}
}

// SIGHUP never ends the process, also while it waits for the data directory.
func TestHangUpEndsNothing(t *testing.T) {
	p := e2e.Start(t)
	second := e2e.Launch(t, "PROOF_DATA_DIR="+p.Dir, "PROOF_SHUTDOWN_GRACE=1h")
	second.AwaitLog("waiting for")
	_ = second.Cmd.Process.Signal(syscall.SIGHUP)
	_ = p.Cmd.Process.Signal(syscall.SIGHUP)
	p.AwaitLog("looking at the files again")
	p.Post(t)
	p.Stop()
	second.AwaitLog("looking at the files again")
	second.Stop()
}
