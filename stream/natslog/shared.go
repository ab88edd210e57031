package natslog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// elsewhere returns how a connection to a cluster differs. It is never given up, and a server that
// hangs without closing its connections is left within a few seconds.
func (l *Log) elsewhere() []nats.Option {
	opts := []nats.Option{
		nats.IgnoreAuthErrorAbort(), // credentials may be put right while the process waits
		nats.PingInterval(time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { l.blame(err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { l.blame(err) }),
		nats.ReconnectHandler(func(c *nats.Conn) {
			l.opts.Logger.Info("connected to the log", "server", redact(c.ConnectedUrl()))
		}),
	}
	if l.opts.CredsFile != "" {
		opts = append(opts, nats.UserCredentials(l.opts.CredsFile))
	}
	return opts
}

// blame notes why there is no connection.
func (l *Log) blame(err error) {
	if err != nil {
		l.away.Store(&err)
	}
}

// whyAway returns what keeps the log from answering: where there is no connection, why not.
func (l *Log) whyAway(err error) error {
	if l.nc.IsConnected() {
		return err
	}
	if cause := l.away.Load(); cause != nil {
		return *cause
	}
	return errors.New("no server answers")
}

// sayAgain is the time between two lines about a cluster that is still not there, for the same reason.
const sayAgain = 10 * time.Second

// openShared opens or creates the stream in a cluster, however long that is not there.
func (l *Log) openShared(ctx context.Context) error {
	begun, said, reason := time.Now(), time.Time{}, ""
	for {
		err := l.join(ctx)
		if err == nil || errors.Is(err, errUnfit) {
			return err
		}
		if why := l.whyAway(err).Error(); time.Since(said) >= sayAgain || why != reason {
			said, reason = time.Now(), why
			l.opts.Logger.Warn("log is not there yet; waiting for it", "url", redact(l.opts.URL),
				"err", why, "waited", time.Since(begun).Round(time.Second))
		}
		if !pause(ctx, time.Second) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

var errUnfit = errors.New("stream does not fit")

// join uses the stream that exists, or creates it.
func (l *Log) join(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	s, err := l.js.Stream(asking, l.opts.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if carried, err := l.carried(ctx); carried || err != nil {
			return err
		}
		return l.create(asking)
	}
	if err != nil {
		return err
	}
	if there, err := l.findOwn(); there && err == nil {
		l.opts.Logger.Info("the stream exists already: the log in the data directory is not used, and stays as it is",
			"dir", l.opts.Dir, "stream", l.opts.Stream)
	}
	cfg := s.CachedInfo().Config
	l.moved.expect(cfg.Metadata)
	chain, err := readChain(cfg.Metadata)
	differ := differences(cfg, l.opts.settings(cfg))
	switch {
	case l.opts.Update:
		return l.change(ctx, s.CachedInfo(), chain)
	case err != nil || len(chain) == 0:
		return fmt.Errorf("%w: stream %s holds no epochs of ours; choose another name with PROOF_NATS_STREAM, "+
			"or set PROOF_NATS_UPDATE=true once to take it over", errUnfit, l.opts.Stream)
	case len(differ) > 0:
		l.opts.Logger.Warn("stream has other settings than these; it stays as it is until PROOF_NATS_UPDATE=true",
			"stream", l.opts.Stream, "differ", strings.Join(differ, "; "))
	}
	l.chain.Store(&chain)
	return nil
}

// change gives the stream our settings. When no other node runs it also opens a new epoch, as each
// start of an embedded log does: the stream may have been restored from a backup, and positions
// beyond that must not come to mean other events. While others run it was not, for they would have
// noticed; and they would go on for a moment to call new events by the old epoch's name.
func (l *Log) change(ctx context.Context, info *jetstream.StreamInfo, chain stream.Chain) error {
	alone, err := l.alone(ctx)
	if err != nil {
		return err
	}
	switch {
	case len(chain) == 0:
		chain = chain.Open(newEpoch(), 0, keepEpochs)
	case alone:
		chain = chain.Open(newEpoch(), info.State.LastSeq, keepEpochs)
	}
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	if err := l.update(ctx, info.Config, chain); err != nil {
		return err
	}
	l.opts.Logger.Info("stream has these settings now", "stream", l.opts.Stream, "epoch", l.newest(), "alone", alone)
	return nil
}

// followPatience is how long the reader of the log waits for an answer. In a cluster a question can
// be lost with the node that it went to: the reader must not be the last to notice an election.
func (l *Log) followPatience() time.Duration {
	if l.opts.embedded() {
		return readPatience
	}
	return time.Second
}
