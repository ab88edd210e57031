package cluster

import (
	"math/rand/v2"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
)

// TestDrill injects faults in turn, under load, for 90 seconds: service nodes are stopped or killed, NATS servers are killed or hang,
// the leader included. In the end each acknowledged post is one event at every subscriber. It needs PROOF_TEST_LONG=1; other tests
// cover each fault alone.
func TestDrill(t *testing.T) {
	if !e2e.Long {
		t.Skip("takes minutes: set PROOF_TEST_LONG=1")
	}
	c := e2e.StartNATS(t, 3)
	d := &drill{t: t, c: c}
	for range 3 {
		d.nodes = append(d.nodes, c.Node("PROOF_SHUTDOWN_GRACE=2s"))
	}
	c.CreateStream(d.nodes[0])
	l := e2e.StartLoad(t, e2e.Balance(t, d.nodes...), 50, 4, 10*time.Millisecond)
	l.AwaitMore(50)
	faults := []func(){d.stopNode, d.killLeader, d.killNode, d.hangServer, d.killServer}
	began, n := time.Now(), 0
	for ; n < len(faults) || time.Since(began) < 90*time.Second; n++ {
		faults[n%len(faults)]()
		l.AwaitMore(50)
	}
	took := time.Since(began)
	l.Stop()
	a := l.Finish(c.Stored())
	a.Check(t, l)
	t.Logf("%d faults in %v over 3 servers and 3 nodes, %d subscribers", n, took.Round(time.Second), len(l.Sources))
	if a.PostStall > 15*time.Second {
		t.Errorf("posts stalled %v, want 15 s at most", a.PostStall)
	}
	for i, s := range l.Sources {
		s.AwaitOpen(t)
		if last := s.AllEnds(); len(last) == 0 {
			t.Logf("stream %d never ended", i)
		}
	}
}

// drill injects faults into a cluster and its nodes.
type drill struct {
	t     *testing.T
	c     *e2e.NATSCluster
	nodes []*e2e.Program
}

func (d *drill) stopNode() {
	i := rand.IntN(len(d.nodes))
	d.nodes[i].Stop()
	d.nodes[i] = d.nodes[i].Restart()
	d.t.Logf("stopped and started node %d", i)
}

func (d *drill) killNode() {
	i := rand.IntN(len(d.nodes))
	d.nodes[i].Kill()
	d.nodes[i] = d.nodes[i].Restart()
	d.t.Logf("killed and started node %d", i)
}

func (d *drill) killLeader() {
	s, i := d.c.Leader()
	s.Kill()
	d.c.Leader() // waits for another leader
	s.Start()
	d.c.AwaitReplicas()
	d.t.Logf("killed and started server %d, which led", i)
}

func (d *drill) killServer() {
	i := rand.IntN(len(d.c.Servers))
	d.c.Servers[i].Kill()
	d.c.Servers[i].Start()
	d.c.AwaitReplicas()
	d.t.Logf("killed and started server %d", i)
}

func (d *drill) hangServer() {
	i := rand.IntN(len(d.c.Servers))
	d.c.Servers[i].Pause()
	time.Sleep(5 * time.Second) // the length of the fault
	d.c.Servers[i].Resume()
	d.c.AwaitReplicas()
	d.t.Logf("server %d hung for 5 s", i)
}
