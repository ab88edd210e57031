package security

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// A key is replaced in two restarts, old to both to new, while a backend posts without a pause: it may have to retry, but
// never gets 401.
func TestKeysAreRotatedWithoutA401(t *testing.T) {
	const oldKey, newKey = "rotation-old-key-0123", "rotation-new-key-0123"
	p := e2e.Start(t, "PROOF_API_KEYS="+oldKey)
	var (
		mu      sync.Mutex // guards key and posted
		key     = oldKey
		posted  int
		stop    = make(chan struct{})
		backend sync.WaitGroup
		url     = p.URL
	)
	locked := func(f func()) { mu.Lock(); defer mu.Unlock(); f() }
	awaitPosts := func() {
		t.Helper()
		var before, now int
		locked(func() { before = posted })
		waitfor.Until(t, waitfor.Patience, func() bool { locked(func() { now = posted }); return now >= before+10 }, func() string {
			return fmt.Sprintf("%d posts, want 10", now-before)
		})
	}
	restart := func(keys string) { p.Stop(); p = p.Restart("PROOF_API_KEYS=" + keys) }
	backend.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			s := e2e.Server{URL: url}
			locked(func() { s.Key = key })
			_, err := s.TryPost(fmt.Sprint("post-", n), "user_name=Ada")
			switch {
			case err == nil:
				locked(func() { posted++ })
			case errors.Is(err, e2e.ErrUnknown): // restarting: retry later
				time.Sleep(5 * time.Millisecond)
			default:
				t.Errorf("with %s: %v", s.Key, err)
				return
			}
		}
	})
	defer backend.Wait()
	defer close(stop)
	awaitPosts()
	restart(oldKey + "," + newKey)
	awaitPosts()
	locked(func() { key = newKey })
	awaitPosts()
	restart(newKey)
	awaitPosts()
	if _, err := (e2e.Server{URL: p.URL, Key: oldKey}).TryPost("", "user_name=Ada"); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("the old key after its end: %v, want 401", err)
	}
}
