package natslog

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// Log is a stream.Log in a JetStream cluster. New makes one.
type Log struct {
	opts   Options
	nc     *nats.Conn
	js     jetstream.JetStream
	ready  atomic.Bool // it is open
	clock  clock
	health observer
	making chan struct{} // holds one for each consumer on its way

	mu       sync.Mutex       // guards all below
	sites    map[string]*site // whose stream is known
	followed map[string]int   // followers by site
	warned   map[string]bool  // differences of settings that were reported
}

var _ stream.Log = (*Log)(nil)

// New returns a log that is not open yet: until Open has returned, its methods end with
// ErrUnavailable, and Follow waits.
func New(o Options) *Log {
	return &Log{
		opts: o.withDefaults(), making: make(chan struct{}, makeAtOnce),
		sites: make(map[string]*site), followed: make(map[string]int), warned: make(map[string]bool),
	}
}

// Open connects to the cluster and checks the streams of Options.Sites that exist; it creates none. A cluster that
// does not answer yet is waited for until ctx ends, with a log line every 10 s and at each new reason. After an
// error the log is closed.
func (l *Log) Open(ctx context.Context) error {
	err := l.connect()
	if err == nil {
		err = l.await(ctx)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open log at %s: %w", redact(l.opts.URL), err), l.Close())
	}
	l.ready.Store(true)
	return nil
}

// connect makes a connection that is never given up. A server that hangs without closing its connections
// is left within a few seconds.
func (l *Log) connect() (err error) {
	away := func(_ *nats.Conn, err error) { l.health.disconnected(err) }
	opts := []nats.Option{
		nats.Name("proofstream"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond),
		nats.ReconnectBufSize(-1), // an append during an outage fails; it is not kept for later
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(), // credentials may be corrected while the process waits
		nats.PingInterval(time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ReconnectErrHandler(away),
		nats.DisconnectErrHandler(away),
		nats.ReconnectHandler(func(c *nats.Conn) {
			l.opts.Logger.Info("connected to the log", "server", redact(c.ConnectedUrl()))
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			l.opts.Logger.Debug("connection to the log", "err", err)
		}),
	}
	if l.opts.CredsFile != "" {
		opts = append(opts, nats.UserCredentials(l.opts.CredsFile))
	}
	if l.nc, err = nats.Connect(l.opts.URL, opts...); err != nil {
		return err
	}
	l.js, err = jetstream.New(l.nc, jetstream.WithPublishAsyncMaxPending(migrateWindow))
	return err
}

// sayAgain is the time between two log lines about something that is still waited for, for the same reason.
const sayAgain = 10 * time.Second

// await waits until the cluster answers.
func (l *Log) await(ctx context.Context) error {
	say := l.waiting("log is not there yet; waiting for it", "url", redact(l.opts.URL))
	for {
		err := l.check(ctx)
		if err == nil || errors.Is(err, errUnfit) {
			return err
		}
		if !l.nc.IsConnected() {
			err = l.health.whyAway()
		}
		say(err.Error())
		if !pause(ctx, time.Second) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// waiting returns a function that logs why something is waited for, at most every 10 s unless the reason changes.
func (l *Log) waiting(message string, attributes ...any) func(reason string) {
	begun, said, last := time.Now(), time.Time{}, ""
	return func(reason string) {
		if reason == last && time.Since(said) < sayAgain {
			return
		}
		said, last = time.Now(), reason
		l.opts.Logger.Warn(message, append(attributes, "err", reason, "waited", time.Since(begun).Round(time.Second))...)
	}
}

// Close ends the connection. Calls under way end with ErrUnavailable.
func (l *Log) Close() error {
	l.health.close()
	if l.nc != nil {
		l.nc.Close()
	}
	return nil
}

// redact returns a list of addresses without the user, password or token that each may hold.
func redact(list string) string {
	var shown []string
	for address := range strings.SplitSeq(list, ",") {
		if !strings.Contains(address, "://") {
			address = "nats://" + address
		}
		u, err := url.Parse(strings.TrimSpace(address))
		if err != nil {
			return "the given address"
		}
		shown = append(shown, u.Scheme+"://"+u.Host)
	}
	return strings.Join(shown, ",")
}
