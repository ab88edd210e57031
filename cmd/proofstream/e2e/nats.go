package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream/natslog/natstest"
)

// DefaultStream is the name of the JetStream stream of site default.
const DefaultStream = "proofstream-default"

// NATSCluster is a cluster of NATS servers that programs use as their event log.
type NATSCluster struct {
	*natstest.Cluster

	t *testing.T
}

// StartNATS starts n servers. The lines of extra are added to the configuration of each. It skips the test with -short.
func StartNATS(t *testing.T, n int, extra ...string) *NATSCluster {
	t.Helper()
	Slow(t)
	return &NATSCluster{natstest.Start(t, n, extra...), t}
}

// PrepareNATS is StartNATS without starting the servers: the test starts them.
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

// AwaitReplicas waits until every replica of the stream of site default is current.
func (c *NATSCluster) AwaitReplicas() {
	c.t.Helper()
	c.Cluster.AwaitReplicas(DefaultStream)
}

// CreateStream makes a node use the log of site default, which creates the stream, and waits for its replicas.
func (c *NATSCluster) CreateStream(p *Program) {
	c.t.Helper()
	p.Get(c.t, "/stats")
	c.AwaitReplicas()
}

// Stored returns the number of events of site default, retractions included.
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

// Node starts a program on this cluster, with env added to Env.
func (c *NATSCluster) Node(env ...string) *Program {
	c.t.Helper()
	return Start(c.t, c.Env(env...)...)
}

// Env returns the environment of a node, followed by env.
func (c *NATSCluster) Env(env ...string) []string {
	return append([]string{"PROOF_NATS_URL=" + c.URL(), fmt.Sprintf("PROOF_NATS_REPLICAS=%d", len(c.Servers)), "PROOF_RETAIN=1000000"}, env...)
}
