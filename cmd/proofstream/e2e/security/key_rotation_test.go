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

// A key is replaced in two restarts, from the old key to both to the new one, while a backend posts all the time. The backend may have
// to retry, but never gets 401.
func TestKeysAreRotatedWithoutA401(t *testing.T) {
	const oldKey, newKey = "rotation-old-key-0123", "rotation-new-key-0123"
	p := e2e.Start(t, "PROOF_API_KEYS="+oldKey)
	b := startBackend(t, e2e.Server{URL: p.URL, Key: oldKey})
	restart := func(keys string) {
		p.Stop()
		p = p.Restart("PROOF_API_KEYS=" + keys)
	}
	b.awaitPosts(t)
	restart(oldKey + "," + newKey)
	b.awaitPosts(t)
	b.setKey(newKey)
	b.awaitPosts(t)
	restart(newKey)
	b.awaitPosts(t)
	if _, err := (e2e.Server{URL: p.URL, Key: oldKey}).TryPost("", "user_name=Ada"); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("the removed key: got %v, want 401", err)
	}
}

// backend posts signups, one after the other, until the test ends.
type backend struct {
	mu     sync.Mutex // guards the fields below
	to     e2e.Server
	posted int // signups that were stored
}

func startBackend(t *testing.T, to e2e.Server) *backend {
	b := &backend{to: to}
	var running sync.WaitGroup
	running.Go(func() {
		for n := 0; t.Context().Err() == nil; n++ {
			if err := b.post(n); errors.Is(err, e2e.ErrUnknown) { // the service is restarting
				time.Sleep(5 * time.Millisecond)
			} else if err != nil {
				t.Errorf("post %d: %v", n, err)
				return
			}
		}
	})
	t.Cleanup(running.Wait)
	return b
}

func (b *backend) post(n int) error {
	b.mu.Lock()
	to := b.to
	b.mu.Unlock()
	_, err := to.TryPost(fmt.Sprint("post-", n), "user_name=Ada")
	if err == nil {
		b.mu.Lock()
		b.posted++
		b.mu.Unlock()
	}
	return err
}

func (b *backend) setKey(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.to.Key = key
}

// awaitPosts waits until ten more signups are stored.
func (b *backend) awaitPosts(t *testing.T) {
	t.Helper()
	stored := func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.posted
	}
	before := stored()
	waitfor.Until(t, waitfor.Patience, func() bool { return stored() >= before+10 }, func() string {
		return fmt.Sprintf("%d posts, want 10", stored()-before)
	})
}
