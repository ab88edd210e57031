package natstest

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream/waitfor"
)

// wholePatience is how long AwaitReplicas waits: a server that was started again copies what it has missed.
const wholePatience = 4 * waitfor.Patience

// steadyResponses is how many times in a row AwaitReplicas has to see a complete stream: the first responses after a start may be from before.
const steadyResponses = 20

// Ask connects to the cluster and calls question until that succeeds. Each try has a second. The test fails when none has succeeded after
// waitfor.Patience.
func Ask[T any](c *Cluster, what string, question func(context.Context, jetstream.JetStream) (T, error)) (result T) {
	c.t.Helper()
	nc, err := nats.Connect(c.URL(), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		c.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		c.t.Fatal(err)
	}
	waitfor.Until(c.t, waitfor.Patience, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		result, err = question(ctx, js)
		return err == nil
	}, func() string { return fmt.Sprintf("%s: %v", what, err) })
	return result
}

// Info describes a stream.
func (c *Cluster) Info(stream string) *jetstream.StreamInfo {
	c.t.Helper()
	return Ask(c, "describe stream "+stream, func(ctx context.Context, js jetstream.JetStream) (*jetstream.StreamInfo, error) {
		s, err := js.Stream(ctx, stream)
		if err != nil {
			return nil, err
		}
		return s.CachedInfo(), nil
	})
}

// Leader waits until a server leads a stream, and returns its index in Servers.
func (c *Cluster) Leader(stream string) (i int) {
	c.t.Helper()
	waitfor.Fact(c.t, "a server leads stream "+stream, func() bool {
		info := c.Info(stream)
		if info.Cluster == nil {
			return false
		}
		_, err := fmt.Sscanf(info.Cluster.Leader, "n%d", &i)
		return err == nil
	})
	return i
}

// AwaitReplicas waits until every replica of a stream is complete and connected.
func (c *Cluster) AwaitReplicas(stream string) {
	c.t.Helper()
	seen := 0
	var info *jetstream.StreamInfo
	waitfor.Until(c.t, wholePatience, func() bool {
		info = c.Info(stream)
		if seen++; !complete(info) {
			seen = 0
		}
		return seen > steadyResponses
	}, func() string {
		return fmt.Sprintf("stream %s is complete on all its servers: %+v", stream, info.Cluster)
	})
}

// complete reports whether every replica of a stream is complete and connected to its leader.
func complete(info *jetstream.StreamInfo) bool {
	c := info.Cluster
	if c == nil || c.Leader == "" || len(c.Replicas) != info.Config.Replicas-1 {
		return false
	}
	for _, r := range c.Replicas {
		if !r.Current || r.Offline || r.Active > 2*time.Second {
			return false
		}
	}
	return true
}
