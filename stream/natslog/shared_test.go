package natslog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"proofstream/stream"
	"proofstream/stream/logtest"
)

// cluster is NATS elsewhere: servers that listen on loopback.
type cluster struct {
	opts    []*server.Options
	servers []*server.Server
}

// startCluster starts n servers.
func startCluster(t *testing.T, n int) *cluster {
	t.Helper()
	c := &cluster{}
	ports := freePorts(t, 2*n)
	var routes []*url.URL
	for _, p := range ports[n:] {
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: fmt.Sprint("127.0.0.1:", p)})
	}
	for i := range n {
		o := &server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: ports[i], NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), DisableJetStreamBanner: true,
		}
		if n > 1 {
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[n+i]}
			o.Routes = routes
		}
		c.opts, c.servers = append(c.opts, o), append(c.servers, nil)
	}
	t.Cleanup(func() {
		for i := range c.servers {
			c.stop(i)
		}
	})
	for i := range n {
		c.start(t, i)
	}
	return c
}

func freePorts(t *testing.T, n int) (ports []int) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func (c *cluster) start(t *testing.T, i int) {
	t.Helper()
	s, err := server.NewServer(c.opts[i].Clone())
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("server is not ready")
	}
	c.servers[i] = s
}

func (c *cluster) stop(i int) {
	if s := c.servers[i]; s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

func (c *cluster) url() string {
	var urls []string
	for _, o := range c.opts {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", o.Port))
	}
	return strings.Join(urls, ",")
}

func TestContractElsewhere(t *testing.T) {
	c := startCluster(t, 1)
	n := 0
	logtest.Run(t, func(t *testing.T) logtest.Fixture {
		n++
		o := Options{URL: c.url(), Stream: fmt.Sprint("proof", n)}
		l := opened(t, o)
		return logtest.Fixture{Log: l, Reopen: func() stream.Log {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = opened(t, o)
			return l
		}}
	})
}

// TestOpenWaitsForACluster would catch a start that fails because NATS starts later, and one that
// cannot be interrupted meanwhile.
func TestOpenWaitsForACluster(t *testing.T) {
	c := startCluster(t, 1)
	c.stop(0)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, Options{URL: c.url(), Logger: slog.New(slog.DiscardHandler)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("open without a server: %v; want the context's error", err)
	}
	var told bytes.Buffer
	var restart sync.WaitGroup
	restart.Go(func() {
		time.Sleep(300 * time.Millisecond) // late on purpose: Open is to wait
		c.start(t, 0)
	})
	l := opened(t, Options{URL: c.url(), Logger: slog.New(slog.NewTextHandler(&told, nil))})
	restart.Wait()
	if !strings.Contains(told.String(), "waiting") {
		t.Errorf("waited without a word: %s", &told)
	}
	if _, _, err := l.Append(t.Context(), stream.Draft{Site: "a", Data: payload}); err != nil {
		t.Error(err)
	}
}

// TestSettingsElsewhereStay would catch one node that rewrites the stream for all.
func TestSettingsElsewhereStay(t *testing.T) {
	c := startCluster(t, 1)
	first := opened(t, Options{URL: c.url(), Retain: 10})
	appendFive(t, first)
	chain := first.Chain()
	retained := func(l *Log) int64 {
		s, err := l.js.Stream(t.Context(), "proofstream")
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().Config.MaxMsgsPerSubject
	}
	var told bytes.Buffer
	other := opened(t, Options{URL: c.url(), Retain: 20, Logger: slog.New(slog.NewTextHandler(&told, nil))})
	if n := retained(other); n != 10 || !strings.Contains(told.String(), "messages per subject is 10, not 20") {
		t.Errorf("stream retains %d, want still 10; told: %s", n, &told)
	}
	updated := opened(t, Options{URL: c.url(), Retain: 20, Update: true})
	if n := retained(updated); n != 20 {
		t.Errorf("stream retains %d after the update, want 20", n)
	}
	if other.newest() != chain[0].Name || updated.Chain().ID(0) != chain.ID(0) {
		t.Errorf("epochs %v and %v, want %s still", updated.Chain(), other.Chain(), chain[0].Name)
	}
}

// TestReplacedStreamEndsFollow would catch a reader that goes on, as if nothing had happened, in a
// stream that was deleted and made anew.
func TestReplacedStreamEndsFollow(t *testing.T) {
	c := startCluster(t, 1)
	l := opened(t, Options{URL: c.url()})
	appendFive(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for e, err := range l.Follow(ctx, 0) {
		if lost := new(LostError); errors.As(err, &lost) {
			return
		} else if err != nil || e.Seq > 5 {
			t.Fatalf("followed %d, %v", e.Seq, err)
		}
		if e.Seq == 5 {
			if err := l.js.DeleteStream(ctx, "proofstream"); err != nil {
				t.Fatal(err)
			}
			other := opened(t, Options{URL: c.url()})
			appendFive(t, other)
			appendFive(t, other)
		}
	}
	t.Error("follow ended without saying why")
}

// TestDeletedStreamEndsFollow would catch a reader that waits for ever for a stream that was deleted.
func TestDeletedStreamEndsFollow(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 1)
	l := opened(t, Options{URL: c.url()})
	appendFive(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var deleted time.Time
	for e, err := range l.Follow(ctx, 0) {
		if lost := new(LostError); errors.As(err, &lost) {
			if after := time.Since(deleted); !lost.Gone || lost.Read != 5 || after < goneFor {
				t.Errorf("ended %v after it was deleted, with %v", after, lost)
			}
			return
		} else if err != nil {
			t.Fatal(err)
		}
		if e.Seq == 5 {
			if err := l.js.DeleteStream(ctx, "proofstream"); err != nil {
				t.Fatal(err)
			}
			deleted = time.Now()
		}
	}
	t.Error("follow ended without saying why")
}

func appendFive(t *testing.T, l *Log) {
	t.Helper()
	for range 5 {
		if _, _, err := l.Append(t.Context(), stream.Draft{Site: "a", Data: payload}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestClusterLosesANode stops the node that leads the stream: what was acknowledged stays, appends
// succeed again within 15 s, and two nodes of ours see one order.
func TestClusterLosesANode(t *testing.T) {
	c := startCluster(t, 3)
	o := Options{URL: c.url(), Replicas: 3, Retain: 1e6}
	a, b := opened(t, o), opened(t, o)
	seenByA, seenByB := following(t, a), following(t, b)
	var mu sync.Mutex
	acknowledged := map[uint64]string{}
	var since atomic.Int64 // appends acknowledged since the node went
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w, l := range []*Log{a, b, a, b} {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				d := stream.Draft{Site: "a", Data: fmt.Append(nil, w, "/", i), Key: fmt.Sprint(w, "/", i)}
				seq, _, err := l.Append(ctx, d)
				if err != nil {
					continue
				}
				since.Add(1)
				mu.Lock()
				acknowledged[seq] = string(d.Data)
				mu.Unlock()
			}
		})
	}
	until(t, "appends succeed", func() bool { return since.Load() > 100 })
	s, err := a.js.Stream(t.Context(), "proofstream")
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.servers {
		if c.servers[i].Name() == s.CachedInfo().Cluster.Leader {
			c.stop(i)
		}
	}
	since.Store(0)
	began := time.Now()
	until(t, "appends succeed again", func() bool { return since.Load() > 100 })
	if d := time.Since(began); d > 15*time.Second {
		t.Errorf("appends succeeded again after %v", d)
	}
	cancel()
	wg.Wait()
	until(t, "both have everything", func() bool { return seenByA.has(acknowledged) && seenByB.has(acknowledged) })
	t.Logf("%d events; appends succeeded again after %v", len(acknowledged), time.Since(began))
}
