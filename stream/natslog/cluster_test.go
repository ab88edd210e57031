package natslog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"proofstream/stream"
)

// cluster is NATS servers that listen on loopback.
type cluster struct {
	opts    []*server.Options
	servers []*server.Server
}

// startCluster starts n servers.
func startCluster(t testing.TB, n int) *cluster {
	t.Helper()
	c := &cluster{servers: make([]*server.Server, n)}
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
		c.opts = append(c.opts, o)
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

func freePorts(t testing.TB, n int) (ports []int) {
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

func (c *cluster) start(t testing.TB, i int) {
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

// leader returns the index of the server that leads the stream of a site.
func (c *cluster) leader(t *testing.T, l *Log, site string) int {
	t.Helper()
	name := ""
	until(t, "somebody leads the stream", func() bool {
		if info, err := l.inform(t.Context(), site, ""); err == nil && info.Cluster != nil {
			name = info.Cluster.Leader
		}
		return name != ""
	})
	return slices.IndexFunc(c.servers, func(s *server.Server) bool { return s.Name() == name })
}

// opened opens a log that the test's end closes.
func opened(t testing.TB, o Options) *Log {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	l := New(o)
	if err := l.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// run runs a log until the test's end.
func run(t testing.TB, l *Log) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

var payload = []byte(`{"img_path":"default","offer_name":"Spring Sale","user_name":"Ada Lovelace"}`)

// mustAppend appends an entry to site a, and returns its sequence.
func mustAppend(t testing.TB, l *Log, key string) uint64 {
	t.Helper()
	id, _, err := l.Append(t.Context(), "a", stream.Entry{Data: payload, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return id.Seq
}

func appendN(t testing.TB, l *Log, n int) {
	t.Helper()
	for range n {
		mustAppend(t, l, "")
	}
}

// until waits for a fact.
func until(t testing.TB, fact string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", fact)
		}
	}
}

// journal is what a logger wrote.
type journal struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
