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
	tellEvery   = time.Second            // a node tells its numbers at least so often
	tellChanged = 200 * time.Millisecond // and this soon after they changed
	tellDead    = 3 * time.Second        // after this long without a report a node is forgotten
)

// Presence counts the open streams of a whole installation: each node tells its peers its own
// numbers, by messages that are not kept. A node that dies is forgotten after three seconds, one that
// stops in good order at once.
type Presence struct {
	log *Log
	own func() map[string]int

	mu    sync.Mutex // guards peers
	peers map[string]peer
}

// peer is the newest report of another node.
type peer struct {
	streams map[string]int // open, by site
	at      time.Time
}

// report is what a node tells, as JSON on the subject PREFIX.nodes.
type report struct {
	Node    string         `json:"node"`
	Streams map[string]int `json:"streams"`
	Gone    bool           `json:"gone,omitempty"`
}

// NewPresence returns a presence over the log's connection; own returns this node's open streams by site.
// It knows no peers until Run, which needs a log that is open.
func NewPresence(log *Log, own func() map[string]int) *Presence {
	return &Presence{log: log, own: own, peers: make(map[string]peer)}
}

// Elsewhere returns how many streams of a site are open on other nodes, by their newest reports.
func (p *Presence) Elsewhere(site string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for node, r := range p.peers {
		if time.Since(r.at) > tellDead {
			delete(p.peers, node)
			continue
		}
		n += r.streams[site]
	}
	return n
}

// Run tells and listens until ctx ends.
func (p *Presence) Run(ctx context.Context) error {
	self := rand.Text()
	sub, err := p.log.nc.Subscribe(p.log.nodes(), func(m *nats.Msg) {
		var r report
		if json.Unmarshal(m.Data, &r) == nil && r.Node != self {
			p.hear(r)
		}
	})
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	p.tell(ctx, self)
	p.send(report{Node: self, Gone: true})
	_ = p.log.nc.FlushTimeout(time.Second) // who does not hear it forgets this node soon
	return nil
}

func (p *Presence) hear(r report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Gone {
		delete(p.peers, r.Node)
		return
	}
	p.peers[r.Node] = peer{streams: r.Streams, at: time.Now()}
}

// tell tells this node's numbers until ctx ends.
func (p *Presence) tell(ctx context.Context, self string) {
	var told map[string]int
	var at time.Time
	for ctx.Err() == nil {
		if now := p.own(); time.Since(at) >= tellEvery || !maps.Equal(now, told) {
			p.send(report{Node: self, Streams: now})
			told, at = now, time.Now()
		}
		pause(ctx, tellChanged)
	}
}

// send is best effort: the next report follows within a second.
func (p *Presence) send(r report) {
	if b, err := json.Marshal(r); err == nil {
		_ = p.log.nc.Publish(p.log.nodes(), b)
	}
}

// nodes is the subject of the nodes' reports. It is not one of a site's stream: those have more tokens.
func (l *Log) nodes() string { return l.opts.Stream + ".nodes" }

// alone listens long enough to hear every node that runs, and returns whether there was none.
func (l *Log) alone(ctx context.Context) (bool, error) {
	sub, err := l.nc.SubscribeSync(l.nodes())
	if err != nil {
		return false, err
	}
	defer sub.Unsubscribe()
	ctx, cancel := context.WithTimeout(ctx, tellEvery+tellEvery/2)
	defer cancel()
	_, err = sub.NextMsgWithContext(ctx)
	return err != nil, nil
}
