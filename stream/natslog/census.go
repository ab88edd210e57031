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
	tellChanged = 200 * time.Millisecond // and so soon after they changed
	tellDead    = 3 * time.Second        // after so long without a word a node counts no more
)

// Census counts the open streams of a whole installation: each node tells the others its own
// numbers, by messages that are not kept. A node that dies is forgotten after three seconds, one that
// stops in good order at once. With an embedded log there are no others.
type Census struct {
	log *Log
	own func() map[string]int

	mu     sync.Mutex // guards others
	others map[string]heard
}

// heard is the newest word of another node.
type heard struct {
	streams map[string]int // open, by site
	at      time.Time
}

// report is what a node tells, as JSON on the subject PREFIX.nodes.
type report struct {
	Node    string         `json:"node"`
	Streams map[string]int `json:"streams"`
	Gone    bool           `json:"gone,omitempty"`
}

// NewCensus returns a census over the log's connection; own returns this node's open streams by site.
// It counts nobody until Run, which needs a log that is open.
func NewCensus(log *Log, own func() map[string]int) *Census {
	return &Census{log: log, own: own, others: make(map[string]heard)}
}

// Elsewhere returns how many streams of a site are open on other nodes, as they told lately.
func (c *Census) Elsewhere(site string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for node, h := range c.others {
		if time.Since(h.at) > tellDead {
			delete(c.others, node)
			continue
		}
		n += h.streams[site]
	}
	return n
}

// Run tells and listens until ctx ends.
func (c *Census) Run(ctx context.Context) error {
	if c.log.opts.embedded() {
		<-ctx.Done()
		return nil
	}
	self := rand.Text()
	sub, err := c.log.nc.Subscribe(c.log.nodes(), func(m *nats.Msg) {
		var r report
		if json.Unmarshal(m.Data, &r) == nil && r.Node != self {
			c.hear(r)
		}
	})
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	c.tell(ctx, self)
	c.send(report{Node: self, Gone: true})
	_ = c.log.nc.FlushTimeout(time.Second) // who does not hear it forgets this node soon
	return nil
}

func (c *Census) hear(r report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Gone {
		delete(c.others, r.Node)
		return
	}
	c.others[r.Node] = heard{streams: r.Streams, at: time.Now()}
}

// tell tells this node's numbers until ctx ends.
func (c *Census) tell(ctx context.Context, self string) {
	var told map[string]int
	var at time.Time
	for ctx.Err() == nil {
		if now := c.own(); time.Since(at) >= tellEvery || !maps.Equal(now, told) {
			c.send(report{Node: self, Streams: now})
			told, at = now, time.Now()
		}
		pause(ctx, tellChanged)
	}
}

// send is best effort: the next report follows within a second.
func (c *Census) send(r report) {
	if b, err := json.Marshal(r); err == nil {
		_ = c.log.nc.Publish(c.log.nodes(), b)
	}
}

// nodes is the subject on which nodes tell of themselves. It is not one of the stream's: those have
// three tokens.
func (l *Log) nodes() string { return l.opts.Stream + ".nodes" }

// alone listens long enough to hear every node that runs, and tells whether there was none.
func (l *Log) alone(ctx context.Context) (bool, error) {
	sub, err := l.nc.SubscribeSync(l.nodes())
	if err != nil {
		return false, err
	}
	defer sub.Unsubscribe()
	ctx, cancel := context.WithTimeout(ctx, tellEvery+tellEvery/2)
	defer cancel()
	if _, err := sub.NextMsgWithContext(ctx); err == nil {
		return false, nil
	}
	return true, nil
}
