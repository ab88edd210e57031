package natslog

import (
	"context"
	"fmt"
	"os"
	"testing"

	"proofstream/stream"
	"proofstream/stream/logtest"
	"proofstream/stream/natslog/natstest"
)

// eachCluster runs a test with streams of three copies and, with PROOF_TEST_LONG=1, of one: JetStream has different code for them.
func eachCluster(t *testing.T, test func(t *testing.T, c *natstest.Cluster, o Options)) {
	copies := []int{3}
	if os.Getenv("PROOF_TEST_LONG") != "" {
		copies = []int{1, 3}
	}
	for _, n := range copies {
		t.Run(fmt.Sprintf("%d servers", n), func(t *testing.T) {
			c := natstest.Start(t, n)
			test(t, c, Options{URL: c.URL(), Replicas: n})
		})
	}
}

// pair is a log in use on two nodes: one writes, the other does the rest.
type pair struct {
	*Log
	writer *Log
}

func (p pair) Append(ctx context.Context, site string, e stream.Entry) (stream.ID, bool, error) {
	return p.writer.Append(ctx, site, e)
}

func (p pair) Erase(ctx context.Context, site string, seq uint64) error {
	return p.writer.Erase(ctx, site, seq)
}

// TestContract holds the log to its contract, on two nodes, so that one would be caught that believes its own memory
// or a replica that lags.
func TestContract(t *testing.T) {
	eachCluster(t, func(t *testing.T, _ *natstest.Cluster, o Options) {
		n := 0
		logtest.Run(t, func(t *testing.T, lo logtest.Options) logtest.Fixture {
			n++
			o := o
			o.Stream, o.Limits = fmt.Sprint("proof", n), lo.Limits
			open := func() pair {
				p := pair{opened(t, o), opened(t, o)}
				run(t, p.Log)
				return p
			}
			p := open()
			return logtest.Fixture{Log: p, Reopen: func() stream.Log {
				p.Close()
				p.writer.Close()
				p = open()
				return p
			}}
		})
	})
}
