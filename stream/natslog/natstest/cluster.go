// Package natstest runs NATS servers for tests. Each server is a process of its own on the loopback interface, so that a test can kill
// and pause it.
//
// A TestMain of a package that uses it calls [Remove] when its tests have run.
package natstest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Cluster is one server, or several that form a cluster. The test's end kills them and removes what they stored.
type Cluster struct {
	Servers []*Server
	User    string // what URL puts before each host: "token@" or "user:password@"; empty for none

	t testing.TB
}

// Start starts n servers and waits until each of them accepts connections. The lines of extra go into each one's configuration file.
func Start(t testing.TB, n int, extra ...string) *Cluster {
	t.Helper()
	c := Prepare(t, n, extra...)
	for _, s := range c.Servers {
		s.Start()
	}
	for _, s := range c.Servers {
		s.Ready()
	}
	return c
}

// Prepare returns a cluster as Start does, of servers that the caller starts.
func Prepare(t testing.TB, n int, extra ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	ports := FreePorts(t, 2*n)
	var routes []string
	for _, p := range ports[n:] {
		routes = append(routes, fmt.Sprintf("nats-route://127.0.0.1:%d", p))
	}
	for i := range n {
		s := &Server{Name: fmt.Sprint("n", i), Port: ports[i], Dir: t.TempDir(), t: t}
		lines := append([]string{"server_name: " + s.Name, "host: 127.0.0.1", fmt.Sprint("port: ", s.Port)}, extra...)
		if n > 1 {
			lines = append(lines, fmt.Sprintf("cluster { name: test, host: 127.0.0.1, port: %d, routes: [%s] }", ports[n+i], strings.Join(routes, ", ")))
		}
		if err := os.WriteFile(s.config(), []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Servers = append(c.Servers, s)
	}
	return c
}

func (s *Server) config() string { return filepath.Join(s.Dir, "nats.conf") }

// FreePorts returns n different ports of the loopback interface on which no process listens right now.
func FreePorts(t testing.TB, n int) (ports []int) {
	t.Helper()
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

// URL returns the addresses of all servers, with commas.
func (c *Cluster) URL() string {
	var urls []string
	for _, s := range c.Servers {
		urls = append(urls, fmt.Sprintf("nats://%s127.0.0.1:%d", c.User, s.Port))
	}
	return strings.Join(urls, ",")
}
