package natslog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// Log is a stream.Log in JetStream. Open makes one.
type Log struct {
	opts  Options
	node  *node    // nil when the log is elsewhere
	lock  *os.File // nil when the log is elsewhere
	nc    *nats.Conn
	js    jetstream.JetStream
	chain atomic.Pointer[stream.Chain] // nil until the log is open
	state health
	away  atomic.Pointer[error] // why there is no connection to a cluster
	moved carriedKeys

	keep  sync.Mutex // held while the record is written, what it tells of is changed, or the server restarted
	noted record     // the record as last written
	wrong []string   // what is wrong with the files, found before the server touched them

	tip     atomic.Pointer[block] // the newest file, on disk under its name
	naming  sync.Mutex            // held while a new tip is put there
	erasing atomic.Bool           // the tip may be replaced

	mu     sync.Mutex // guards damage
	damage []string
}

var _ stream.Log = (*Log)(nil)

// New returns a log that is not open yet: until its Open has returned, all that is asked of it ends with
// ErrUnavailable, and Follow waits.
func New(o Options) *Log { return &Log{opts: o.withDefaults()} }

// Open makes a log and opens it.
func Open(ctx context.Context, o Options) (*Log, error) {
	l := New(o)
	if err := l.Open(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// Open opens the log that the options name, creating it when there is none. An embedded log begins a
// new epoch. A cluster that is not there yet is waited for until ctx ends, saying so every now and
// then. After an error the log is closed.
func (l *Log) Open(ctx context.Context) error {
	where := "at " + redact(l.opts.URL)
	if l.opts.embedded() {
		where = "in " + l.opts.Dir
	}
	if err := l.open(ctx); err != nil {
		return errors.Join(fmt.Errorf("open log %s: %w", where, err), l.Close())
	}
	return nil
}

func (l *Log) open(ctx context.Context) error {
	if l.opts.embedded() {
		if err := l.startNode(); err != nil {
			return err
		}
	}
	if err := l.connect(); err != nil {
		return err
	}
	if l.opts.embedded() {
		return l.openOwn(ctx)
	}
	return l.openShared(ctx)
}

// opened returns nil once the log is open: its epochs are the last that opening finds out.
func (l *Log) opened() error {
	if l.chain.Load() == nil {
		return fmt.Errorf("%w: it is not open yet", stream.ErrUnavailable)
	}
	return nil
}

// startNode takes the directory and starts the server in it.
func (l *Log) startNode() (err error) {
	if err = prepare(l.opts.Dir); err != nil {
		return err
	}
	if l.lock, err = lock(l.opts.Dir); err != nil {
		return err
	}
	sealed, err := l.inspect()
	if err != nil {
		return err
	}
	if !sealed {
		if err := l.settle(true); err != nil {
			return err
		}
	}
	l.node = &node{opts: l.opts, bridge: &bridge{logger: l.opts.Logger, broken: l.state.worsen}}
	return l.node.start()
}

// connect makes the connection in which the two kinds of log differ.
func (l *Log) connect() (err error) {
	opts := []nats.Option{
		nats.Name("proofstream"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond),
		nats.ReconnectBufSize(-1), // an append during an outage is told so, not kept for later
		nats.RetryOnFailedConnect(true),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			l.opts.Logger.Debug("connection to the log", "err", err)
		}),
	}
	if l.opts.embedded() {
		opts = append(opts, nats.InProcessServer(l.node))
	} else {
		opts = append(opts, l.elsewhere()...)
	}
	if l.nc, err = nats.Connect(l.opts.URL, opts...); err != nil {
		return err
	}
	l.js, err = jetstream.New(l.nc)
	return err
}

// Close ends the connection and, embedded, the server, its files complete. Appends under way end
// with ErrUnavailable.
func (l *Log) Close() error {
	l.keep.Lock()
	defer l.keep.Unlock()
	well := l.chain.Load() != nil && l.state.why() == nil
	l.state.worsen(errClosed)
	if l.opts.embedded() && well {
		well = l.note(context.Background(), 0, true) == nil
	}
	if l.nc != nil {
		l.nc.Close()
	}
	if l.node != nil {
		l.node.stop()
	}
	if l.lock == nil {
		return nil
	}
	var err error
	if well {
		err = l.seal()
	}
	return errors.Join(err, l.lock.Close())
}

var errClosed = errors.New("log is closed")

// Chain returns the epochs of the log, never empty.
func (l *Log) Chain() stream.Chain { return *l.chain.Load() }

// State asks the log for its bounds.
func (l *Log) State(ctx context.Context) (stream.State, error) {
	if err := l.opened(); err != nil {
		return stream.State{}, err
	}
	s, err := l.js.Stream(ctx, l.opts.Stream)
	if err != nil {
		return stream.State{}, fmt.Errorf("ask for the log's state: %w", unavailable(err))
	}
	return bounds(s.CachedInfo().State), nil
}

func bounds(s jetstream.StreamState) stream.State {
	first := s.FirstSeq
	if s.Msgs == 0 {
		first = s.LastSeq + 1
	}
	return stream.State{First: first, Last: s.LastSeq, Events: s.Msgs}
}

// Healthy returns nil when an append would now be expected to succeed.
func (l *Log) Healthy() error {
	if err := l.opened(); err != nil {
		return err
	}
	if !l.nc.IsConnected() {
		return fmt.Errorf("no connection to the log: %s", l.nc.Status())
	}
	return l.state.why()
}
