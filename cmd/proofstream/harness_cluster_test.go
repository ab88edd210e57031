package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsCluster is one nats-server process, or several that form a cluster, on ports of the loopback.
type natsCluster struct {
	t       *testing.T
	servers []*natsServer
	user    string // "token@" or "user:password@" in url
}

type natsServer struct {
	t      *testing.T
	config string
	port   int
	cmd    *exec.Cmd // nil while it does not run
	end    func()
}

// startNATS starts n servers. The lines of extra go into each one's configuration.
func startNATS(t *testing.T, n int, extra ...string) *natsCluster {
	t.Helper()
	c := prepareNATS(t, n, extra...)
	for _, s := range c.servers {
		s.start()
	}
	return c
}

// prepareNATS is startNATS without starting.
func prepareNATS(t *testing.T, n int, extra ...string) *natsCluster {
	t.Helper()
	slow(t)
	c := &natsCluster{t: t}
	ports := freePorts(t, 2*n)
	var routes []string
	for _, p := range ports[n:] {
		routes = append(routes, fmt.Sprintf("nats-route://127.0.0.1:%d", p))
	}
	for i := range n {
		dir := t.TempDir()
		lines := append([]string{
			fmt.Sprintf("server_name: n%d", i), "host: 127.0.0.1", fmt.Sprintf("port: %d", ports[i]),
			fmt.Sprintf("jetstream { store_dir: %q }", filepath.Join(dir, "store")),
		}, extra...)
		if n > 1 {
			lines = append(lines, fmt.Sprintf("cluster { name: test, host: 127.0.0.1, port: %d, routes: [%s] }", ports[n+i], strings.Join(routes, ", ")))
		}
		s := &natsServer{t: t, config: filepath.Join(dir, "nats.conf"), port: ports[i]}
		if err := os.WriteFile(s.config, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		c.servers = append(c.servers, s)
	}
	return c
}

// start starts the server, on what it had stored before, and does not wait for it.
func (s *natsServer) start() {
	s.t.Helper()
	path, err := natsBinary()
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command(path, "-c", s.config)
	_, s.end = startProcess(s.t, s.cmd)
}

// kill ends the server with SIGKILL, if it runs.
func (s *natsServer) kill() {
	if s.cmd != nil {
		s.end()
		s.cmd = nil
	}
}

// pause stops the server's execution, its connections open, until resume.
func (s *natsServer) pause()  { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }
func (s *natsServer) resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// url is for PROOF_NATS_URL.
func (c *natsCluster) url() string {
	var urls []string
	for _, s := range c.servers {
		urls = append(urls, fmt.Sprintf("nats://%s127.0.0.1:%d", c.user, s.port))
	}
	return strings.Join(urls, ",")
}

// ask connects to the cluster beside the service, asks it something until that works, and returns the answer.
func ask[T any](c *natsCluster, what string, question func(context.Context, jetstream.JetStream) (T, error)) T {
	c.t.Helper()
	nc, err := nats.Connect(c.url(), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		c.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		c.t.Fatal(err)
	}
	var answer T
	until(c.t, patience, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		answer, err = question(ctx, js)
		return err == nil
	}, func() string { return fmt.Sprintf("%s: %v", what, err) })
	return answer
}

// defaultStream is the stream of site default.
const defaultStream = "proofstream-default"

// info describes the stream of site default.
func (c *natsCluster) info() *jetstream.StreamInfo {
	c.t.Helper()
	return ask(c, "ask for the stream", func(ctx context.Context, js jetstream.JetStream) (*jetstream.StreamInfo, error) {
		s, err := js.Stream(ctx, defaultStream)
		if err != nil {
			return nil, err
		}
		return s.CachedInfo(), nil
	})
}

// leader returns the server that leads the stream, and its index.
func (c *natsCluster) leader() (*natsServer, int) {
	c.t.Helper()
	var i int
	until(c.t, patience, func() bool {
		info := c.info()
		if info.Cluster == nil || info.Cluster.Leader == "" {
			return false
		}
		fmt.Sscanf(info.Cluster.Leader, "n%d", &i)
		return true
	}, func() string { return "nobody leads the stream" })
	return c.servers[i], i
}

// first has a node use the log for the first time, which creates the stream, and waits until that is whole.
func (c *natsCluster) first(p *program) {
	c.t.Helper()
	p.get(c.t, "/stats")
	c.whole()
}

// whole waits until every copy of the stream is complete.
func (c *natsCluster) whole() {
	c.t.Helper()
	times := 0 // in a row: the first answers after a start may be of before
	until(c.t, 4*patience, func() bool {
		info := c.info()
		if times++; info.Cluster == nil || info.Cluster.Leader == "" || len(info.Cluster.Replicas) != info.Config.Replicas-1 {
			times = 0
			return false
		}
		for _, r := range info.Cluster.Replicas {
			if !r.Current || r.Offline || r.Active > 2*time.Second {
				times = 0
			}
		}
		return times > 20
	}, func() string { return fmt.Sprintf("%+v", c.info().Cluster) })
}

// node starts a service on this cluster.
func (c *natsCluster) node(env ...string) *program {
	c.t.Helper()
	return start(c.t, c.env(env...)...)
}

func (c *natsCluster) env(env ...string) []string {
	return append([]string{"PROOF_NATS_URL=" + c.url(), fmt.Sprintf("PROOF_NATS_REPLICAS=%d", len(c.servers)), "PROOF_RETAIN=1000000"}, env...)
}
