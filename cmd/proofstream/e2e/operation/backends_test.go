package operation

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// withKey returns a server for posts with another key.
func withKey(s e2e.Server, key string) e2e.Server {
	s.Key = key
	return s
}

// backends post until stop, each with a key that can change. Every post must be stored.
type backends struct {
	t       *testing.T
	all     []*backend
	cancel  context.CancelFunc
	posting sync.WaitGroup
}

type backend struct {
	mu     sync.Mutex // guards the fields below
	server e2e.Server
	ids    []string
	posts  int // with the current key
}

// startBackends starts n backends, which wait for delay after each post.
func startBackends(t *testing.T, s e2e.Server, n int, key string, delay time.Duration) *backends {
	t.Helper()
	var ctx context.Context
	b := &backends{t: t}
	ctx, b.cancel = context.WithCancel(context.Background())
	t.Cleanup(b.cancel)
	for range n {
		one := &backend{server: withKey(s, key)}
		b.all = append(b.all, one)
		b.posting.Go(func() {
			for ctx.Err() == nil {
				if err := one.post(); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-ctx.Done():
				case <-time.After(delay):
				}
			}
		})
	}
	for _, one := range b.all {
		b.awaitPosts(one)
	}
	return b
}

// post posts a signup with the current key.
func (b *backend) post() error {
	b.mu.Lock()
	server := b.server
	b.mu.Unlock()
	id, err := server.TryPost("", "user_name=Ada")
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ids = append(b.ids, id)
	if server.Key == b.server.Key {
		b.posts++
	}
	return nil
}

// use makes backend i use another key, and waits until posts with it are stored. From then on it uses no other.
func (b *backends) use(i int, key string) {
	b.t.Helper()
	one := b.all[i]
	one.mu.Lock()
	one.server, one.posts = withKey(one.server, key), 0
	one.mu.Unlock()
	b.awaitPosts(one)
}

// awaitPosts waits until posts with a backend's current key are stored.
func (b *backends) awaitPosts(one *backend) {
	b.t.Helper()
	want := e2e.Scaled(1, 10)
	waitfor.Fact(b.t, "posts of each backend are stored", func() bool {
		one.mu.Lock()
		defer one.mu.Unlock()
		return one.posts >= want
	})
}

// stop ends the backends after their last posts, and returns the ids of all posts in the order of the log.
func (b *backends) stop() (ids []string) {
	b.cancel()
	b.posting.Wait()
	for _, one := range b.all {
		ids = append(ids, one.ids...)
	}
	slices.SortFunc(ids, func(a, b string) int { return e2e.Sequence(a) - e2e.Sequence(b) })
	return ids
}
