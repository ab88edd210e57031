package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream/natslog/natstest"
)

// DefaultStream is the stream of site default.
const DefaultStream = "proofstream-default"

// NATSCluster is NATS servers on which services run as nodes.
type NATSCluster struct {
	*natstest.Cluster

	t *testing.T
}

// StartNATS starts n servers. The lines of extra go into each one's configuration. It skips the test with -short.
func StartNATS(t *testing.T, n int, extra ...string) *NATSCluster {
	t.Helper()
	Slow(t)
	return &NATSCluster{natstest.Start(t, n, extra...), t}
}

// PrepareNATS returns a cluster as StartNATS does, of servers that the test starts.
func PrepareNATS(t *testing.T, n int, extra ...string) *NATSCluster {
	t.Helper()
	Slow(t)
	return &NATSCluster{natstest.Prepare(t, n, extra...), t}
}

// Info describes the stream of site default.
func (c *NATSCluster) Info() *jetstream.StreamInfo {
	c.t.Helper()
	return c.Cluster.Info(DefaultStream)
}

// Leader returns the server that leads the stream of site default, and its index.
func (c *NATSCluster) Leader() (*natstest.Server, int) {
	c.t.Helper()
	i := c.Cluster.Leader(DefaultStream)
	return c.Servers[i], i
}

// Whole waits until every replica of the stream of site default is complete.
func (c *NATSCluster) Whole() {
	c.t.Helper()
	c.Cluster.Whole(DefaultStream)
}

// First has a node use the log for the first time, which creates the stream, and waits until that is whole.
func (c *NATSCluster) First(p *Program) {
	c.t.Helper()
	p.Get(c.t, "/stats")
	c.Whole()
}

// Stored counts the events of site default.
func (c *NATSCluster) Stored() int {
	c.t.Helper()
	return int(c.Info().State.Msgs)
}

// Streams returns the names of all streams.
func (c *NATSCluster) Streams() []string {
	c.t.Helper()
	return natstest.Ask(c.Cluster, "list the streams", func(ctx context.Context, js jetstream.JetStream) (names []string, err error) {
		list := js.StreamNames(ctx)
		for name := range list.Name() {
			names = append(names, name)
		}
		return names, list.Err()
	})
}

// Node starts a service on this cluster.
func (c *NATSCluster) Node(env ...string) *Program {
	c.t.Helper()
	return Start(c.t, c.Env(env...)...)
}

// Env returns the environment of a node, with more of it.
func (c *NATSCluster) Env(env ...string) []string {
	return append([]string{"PROOF_NATS_URL=" + c.URL(), fmt.Sprintf("PROOF_NATS_REPLICAS=%d", len(c.Servers)), "PROOF_RETAIN=1000000"}, env...)
}
