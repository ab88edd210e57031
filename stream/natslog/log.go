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

// Log is a stream.Log in a JetStream cluster. New makes one. All its methods may be called at the same time.
type Log struct {
	opts     Options
	nc       *nats.Conn
	js       jetstream.JetStream
	ready    atomic.Bool // Open has succeeded
	clock    clock
	health   observer
	creating chan struct{} // holds one for each consumer on its way

	mu        sync.Mutex       // guards the fields below
	sites     map[string]*site // whose stream is known
	followers map[string]int   // how many each site has
	warned    map[string]bool  // differences of settings that were reported
}

var _ stream.Log = (*Log)(nil)

// New returns a log that is not open yet. Until Open has returned, its methods return stream.ErrUnavailable, and Follow waits.
func New(o Options) *Log {
	return &Log{
		opts: o.withDefaults(), creating: make(chan struct{}, maxCreating),
		sites: make(map[string]*site), followers: make(map[string]int), warned: make(map[string]bool),
	}
}

// Open connects to the cluster and checks the streams of Options.Sites that exist. It creates none. It waits until ctx ends for a cluster
// that does not respond yet, with a log line every 10 s and at each new reason. After an error the log is closed.
func (l *Log) Open(ctx context.Context) error {
	err := l.connect()
	if err == nil {
		err = l.waitForCluster(ctx)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open log at %s: %w", Redact(l.opts.URL), err), l.Close())
	}
	l.ready.Store(true)
	return nil
}

// connect makes a connection that reconnects for as long as the log is open. It leaves a server that hangs without closing its connections
// after two missed pings.
func (l *Log) connect() (err error) {
	lost := func(_ *nats.Conn, err error) { l.health.disconnected(err) }
	opts := []nats.Option{
		nats.Name("proofstream"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond),
		nats.ReconnectBufSize(-1), // an append during an outage fails at once, and may be tried again
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(), // credentials may be corrected while the process waits
		nats.PingInterval(time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ReconnectErrHandler(lost),
		nats.DisconnectErrHandler(lost),
		nats.ReconnectHandler(func(c *nats.Conn) {
			l.opts.Logger.Info("connected to the log", "server", Redact(c.ConnectedUrl()))
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			l.opts.Logger.Debug("connection to the log", "error", err)
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

// warnInterval is the least time between two log lines about the same wait for the same reason.
const warnInterval = 10 * time.Second

// openRetryDelay is the delay between two checks of the cluster by Open.
const openRetryDelay = time.Second

// waitForCluster waits until the cluster responds and the configured streams fit.
func (l *Log) waitForCluster(ctx context.Context) error {
	warn := l.waitLogger("waiting for the NATS cluster, which cannot be reached yet", "url", Redact(l.opts.URL))
	for {
		err := l.checkStreams(ctx)
		if err == nil || errors.Is(err, errUnfit) {
			return err
		}
		if !l.nc.IsConnected() {
			err = l.health.disconnectReason()
		}
		warn(err.Error())
		if !sleep(ctx, openRetryDelay) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// waitLogger returns a function that logs a message with the reason of a wait, at most once in warnInterval unless the reason changes.
func (l *Log) waitLogger(message string, attributes ...any) func(reason string) {
	begun, logged, last := time.Now(), time.Time{}, ""
	return func(reason string) {
		if reason == last && time.Since(logged) < warnInterval {
			return
		}
		logged, last = time.Now(), reason
		l.opts.Logger.Warn(message, append(attributes, "error", reason, "waited", time.Since(begun).Round(time.Second))...)
	}
}

// Close ends the connection. Calls under way end with stream.ErrUnavailable.
func (l *Log) Close() error {
	l.health.close()
	if l.nc != nil {
		l.nc.Close()
	}
	return nil
}

// Redact returns a comma-separated list of NATS URLs as it may be logged: scheme, host and port of each, without user,
// password or token. A URL without a scheme is nats. Of a list with one that cannot be read it shows nothing.
func Redact(list string) string {
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
