package operation

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// file is a file that the service reads again.
type file struct {
	t    *testing.T
	path string
}

// replacedFile makes a file with a text.
func replacedFile(t *testing.T, text string) file {
	t.Helper()
	f := file{t, filepath.Join(t.TempDir(), "file")}
	f.replace(text)
	return f
}

// replace replaces the file by renaming another, as Kubernetes and editors do.
func (f file) replace(text string) {
	f.t.Helper()
	if err := os.WriteFile(f.path+".new", []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(f.path+".new", f.path); err != nil {
		f.t.Fatal(err)
	}
}

// A key is rotated and an origin added by changing files, under open streams and while backends post, each of which goes over to the new key
// while both are valid. No stream ends, no post gets a 401, and each stream has each event once, in order.
func TestFilesChangeUnderOpenStreams(t *testing.T) {
	n, delay := e2e.Scaled(200, 5000), time.Duration(e2e.Scaled(50, 500))*time.Millisecond // of each backend after each post
	e2e.NeedDescriptors(t, n+500)
	const oldKey, newKey = "rotation-old-key-0123", "rotation-new-key-0123"
	keys, origins := replacedFile(t, oldKey), replacedFile(t, "https://a.example")
	p := e2e.Start(t, "PROOF_API_KEYS_FILE="+keys.path, "PROOF_ALLOWED_ORIGINS_FILE="+origins.path, "PROOF_RETAIN=100000")
	reloaded := func(times int) {
		waitfor.Fact(t, "the file is reloaded", func() bool { return strings.Count(p.Stderr.String(), "variable=PROOF_API_KEYS_FILE") == times })
	}
	readers := e2e.OpenReaders(t, p.Server, n, "", "Origin: https://a.example")
	b := startBackends(t, p.Server, 4, oldKey, delay)

	keys.replace(oldKey + "\n" + newKey)
	origins.replace("https://a.example\nhttps://b.example")
	reloaded(1)
	for i := range b.all {
		b.use(i, newKey) // the others still use the old one
	}
	keys.replace(newKey)
	_ = p.Cmd.Process.Signal(syscall.SIGHUP) // saves two seconds
	reloaded(2)
	p.AwaitLog("variable=PROOF_ALLOWED_ORIGINS_FILE")
	ids := b.stop()
	p.Listen(t, "", "Origin: https://b.example").Ready(t)
	if _, err := withKey(p.Server, oldKey).TryPost(""); err == nil || !strings.Contains(err.Error(), "status 401") {
		t.Errorf("a post with the old key: got %v, want status 401", err)
	}
	readers.Await(t, len(ids), 2*waitfor.Patience)
	readers.Audit(t, ids)
	if open := readers.Open.Load(); open != int64(n) {
		t.Errorf("%d of %d streams are open", open, n)
	}
	t.Logf("%d streams, %d posts", n, len(ids))
	if strings.Contains(p.Stderr.String(), "rotation-") {
		t.Error("a key is in the log")
	}
}

// An origin that is removed from its file ends the streams of its pages, and no other. SIGHUP makes the service look at once.
func TestRemovedOriginEndsItsStreams(t *testing.T) {
	origins := replacedFile(t, "https://a.example\nhttps://b.example")
	p := e2e.Start(t, "PROOF_ALLOWED_ORIGINS_FILE="+origins.path)
	ofA, ofB, ofNone := p.Listen(t, "", "Origin: https://a.example"), p.Listen(t, "", "Origin: https://b.example"), p.Listen(t, "")
	origins.replace("https://b.example")
	_ = p.Cmd.Process.Signal(syscall.SIGHUP)
	p.AwaitLog("looking at the files again")
	ofA.Ended(t)
	if got := p.Listen(t, "", "Origin: https://a.example").Ended(t).Status; got != 403 {
		t.Errorf("the origin that was removed: got %d, want 403", got)
	}
	p.Post(t)
	for name, s := range map[string]*e2e.Source{"of the other origin": ofB, "without an origin": ofNone} {
		s.AwaitEvents(t, "signup", 1)
		if ends := s.AllEnds(); len(ends) > 0 {
			t.Errorf("the stream %s ended: %v", name, ends)
		}
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
