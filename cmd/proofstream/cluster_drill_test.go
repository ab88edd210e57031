package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestDrill restarts and kills nodes of both layers in turn, under load: service nodes are stopped in good order or killed, servers
// of the cluster killed, the leader first, or paused. At the end it prints what became of every post. It is a soak, for
// PROOF_TEST_LONG=1; the single faults are tests of their own.
func TestDrill(t *testing.T) {
	if !long {
		t.Skip("a soak: set PROOF_TEST_LONG=1")
	}
	c := startNATS(t, 3)
	d := &drill{t: t, c: c}
	for range 3 {
		d.nodes = append(d.nodes, c.node("PROOF_SHUTDOWN_GRACE=2s"))
	}
	c.first(d.nodes[0])
	l := startLoad(t, balance(t, d.nodes...), 50, 4, 10*time.Millisecond)
	l.awaitMore(50)
	troubles := []func(){d.stopNode, d.killLeader, d.killNode, d.hangServer, d.killServer}
	began, n := time.Now(), 0
	for ; n < len(troubles) || time.Since(began) < 90*time.Second; n++ {
		troubles[n%len(troubles)]()
		l.awaitMore(50)
	}
	took := time.Since(began)
	l.end()
	a := l.finish(c.stored())
	a.check(t, l)
	t.Logf("%d troubles in %v over 3 servers and 3 nodes, %d listeners", n, took.Round(time.Second), len(l.sources))
	if a.PostStall > 15*time.Second {
		t.Errorf("posts stalled %v, want 15 s at most", a.PostStall)
	}
	for i, s := range l.sources {
		s.await(t, "an open stream", func() bool { return s.conns > len(s.ends) })
		if last := s.allEnds(); len(last) == 0 {
			t.Logf("stream %d was never ended", i)
		}
	}
}

type drill struct {
	t     *testing.T
	c     *natsCluster
	nodes []*program
}

func (d *drill) stopNode() {
	i := rand.IntN(len(d.nodes))
	d.nodes[i].stop()
	d.nodes[i] = d.nodes[i].restart()
	d.t.Logf("stopped and started node %d", i)
}

func (d *drill) killNode() {
	i := rand.IntN(len(d.nodes))
	d.nodes[i].kill()
	d.nodes[i] = d.nodes[i].restart()
	d.t.Logf("killed and started node %d", i)
}

func (d *drill) killLeader() {
	s, i := d.c.leader()
	s.kill()
	d.c.leader() // there is another
	s.start()
	d.c.whole()
	d.t.Logf("killed and started server %d, which led", i)
}

func (d *drill) killServer() {
	i := rand.IntN(len(d.c.servers))
	d.c.servers[i].kill()
	d.c.servers[i].start()
	d.c.whole()
	d.t.Logf("killed and started server %d", i)
}

func (d *drill) hangServer() {
	i := rand.IntN(len(d.c.servers))
	d.c.servers[i].pause()
	time.Sleep(5 * time.Second) // how long it hangs is the trouble, not a wait for a fact
	d.c.servers[i].resume()
	d.c.whole()
	d.t.Logf("server %d hung for 5 s", i)
}
