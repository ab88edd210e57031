package natslog

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// reportInterval is the longest time between two reports of a node.
	reportInterval = time.Second
	// changeInterval is the longest time between a change of a node's counts and its report.
	changeInterval = 200 * time.Millisecond
	// peerTimeout is how long after its last report a node counts.
	peerTimeout = 3 * time.Second
)

// Presence counts the open streams of all nodes of an installation: each node publishes its own counts, in messages that JetStream does
// not keep. A node that dies counts for three more seconds. One that stops on SIGTERM says so, and counts no longer.
type Presence struct {
	log   *Log
	local func() map[string]int

	mu    sync.Mutex // guards peers
	peers map[string]peer
}

// peer is the newest report of another node.
type peer struct {
	streams map[string]int // open, by site
	at      time.Time
}

// report is what a node publishes, as JSON on the subject PREFIX.nodes.
type report struct {
	Node    string         `json:"node"`
	Streams map[string]int `json:"streams"`
	Gone    bool           `json:"gone,omitempty"`
}

// NewPresence returns a presence over the log's connection. local returns this node's open streams by site; Run calls it every 200 ms.
// The presence knows no peers until Run, which needs a log that is open.
func NewPresence(log *Log, local func() map[string]int) *Presence {
	return &Presence{log: log, local: local, peers: make(map[string]peer)}
}

// PeerStreams returns how many streams of a site are open on the other nodes, by their newest reports.
func (p *Presence) PeerStreams(site string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for node, r := range p.peers {
		if time.Since(r.at) > peerTimeout {
			delete(p.peers, node)
			continue
		}
		n += r.streams[site]
	}
	return n
}

// Run reports this node's counts and receives those of its peers until ctx ends. The error is that of a closed connection.
func (p *Presence) Run(ctx context.Context) error {
	self := rand.Text()
	sub, err := p.log.nc.Subscribe(p.log.nodes(), func(m *nats.Msg) {
		var r report
		if json.Unmarshal(m.Data, &r) == nil && r.Node != self {
			p.receive(r)
		}
	})
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	p.reportChanges(ctx, self)
	p.send(report{Node: self, Gone: true})
	_ = p.log.nc.FlushTimeout(time.Second) // best effort: peers drop this node after peerTimeout
	return nil
}

func (p *Presence) receive(r report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Gone {
		delete(p.peers, r.Node)
		return
	}
	p.peers[r.Node] = peer{streams: r.Streams, at: time.Now()}
}

// reportChanges publishes this node's counts until ctx ends.
func (p *Presence) reportChanges(ctx context.Context, self string) {
	var reported map[string]int
	var at time.Time
	for ctx.Err() == nil {
		if now := p.local(); time.Since(at) >= reportInterval || !maps.Equal(now, reported) {
			p.send(report{Node: self, Streams: now})
			reported, at = now, time.Now()
		}
		sleep(ctx, changeInterval)
	}
}

// send publishes a report. It ignores errors: the next report follows within a second.
func (p *Presence) send(r report) {
	if b, err := json.Marshal(r); err == nil {
		_ = p.log.nc.Publish(p.log.nodes(), b)
	}
}

// nodes returns the subject of the nodes' reports. It is in no site's stream: the subjects of those have more tokens.
func (l *Log) nodes() string { return l.opts.Stream + ".nodes" }

// onlyNode waits for the reports of other nodes, for long enough that each one that runs sends one, and reports whether there was none.
func (l *Log) onlyNode(ctx context.Context) (bool, error) {
	sub, err := l.nc.SubscribeSync(l.nodes())
	if err != nil {
		return false, err
	}
	defer sub.Unsubscribe()
	ctx, cancel := context.WithTimeout(ctx, reportInterval+reportInterval/2)
	defer cancel()
	_, err = sub.NextMsgWithContext(ctx)
	return err != nil, nil
}
