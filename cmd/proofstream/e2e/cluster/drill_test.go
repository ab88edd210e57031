package cluster

import (
	"math/rand/v2"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
)

// TestDrill restarts and kills nodes of both layers in turn, under load: service nodes are stopped in good order or killed, servers
// of the cluster killed, the leader first, or paused. At the end it prints what became of every post. It is a soak, for
// PROOF_TEST_LONG=1; the single faults are tests of their own.
func TestDrill(t *testing.T) {
	if !e2e.Long {
		t.Skip("a soak: set PROOF_TEST_LONG=1")
	}
	c := e2e.StartNATS(t, 3)
	d := &drill{t: t, c: c}
	for range 3 {
		d.nodes = append(d.nodes, c.Node("PROOF_SHUTDOWN_GRACE=2s"))
	}
	c.First(d.nodes[0])
	l := e2e.StartLoad(t, e2e.Balance(t, d.nodes...), 50, 4, 10*time.Millisecond)
	l.AwaitMore(50)
	troubles := []func(){d.stopNode, d.killLeader, d.killNode, d.hangServer, d.killServer}
	began, n := time.Now(), 0
	for ; n < len(troubles) || time.Since(began) < 90*time.Second; n++ {
		troubles[n%len(troubles)]()
		l.AwaitMore(50)
	}
	took := time.Since(began)
	l.End()
	a := l.Finish(c.Stored())
	a.Check(t, l)
	t.Logf("%d troubles in %v over 3 servers and 3 nodes, %d listeners", n, took.Round(time.Second), len(l.Sources))
	if a.PostStall > 15*time.Second {
		t.Errorf("posts stalled %v, want 15 s at most", a.PostStall)
	}
	for i, s := range l.Sources {
		s.Await(t, "an open stream", func() bool { return s.Conns > len(s.Ends) })
		if last := s.AllEnds(); len(last) == 0 {
			t.Logf("stream %d was never ended", i)
		}
	}
}

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
	d.c.Leader() // there is another
	s.Start()
	d.c.Whole()
	d.t.Logf("killed and started server %d, which led", i)
}

func (d *drill) killServer() {
	i := rand.IntN(len(d.c.Servers))
	d.c.Servers[i].Kill()
	d.c.Servers[i].Start()
	d.c.Whole()
	d.t.Logf("killed and started server %d", i)
}

func (d *drill) hangServer() {
	i := rand.IntN(len(d.c.Servers))
	d.c.Servers[i].Pause()
	time.Sleep(5 * time.Second) // how long it hangs is the trouble, not a wait for a fact
	d.c.Servers[i].Resume()
	d.c.Whole()
	d.t.Logf("server %d hung for 5 s", i)
}
