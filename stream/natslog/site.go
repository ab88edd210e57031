package natslog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// site is a site whose stream is known.
type site struct {
	name    string
	stream  string // name of its stream
	subject string // prefix of its subjects, which ends in a full stop

	mu      sync.Mutex // guards the fields below
	created time.Time  // when the stream was created
	epochs  stream.Epochs
	high    uint64 // newest sequence that this process knows of
}

var (
	errUnfit     = errors.New("stream does not fit")
	errMigrating = errors.New("an embedded log is being copied into the stream; if no node does that any more, start the one with the log again")
)

// site returns a site. It creates the site's stream when there is none.
func (l *Log) site(ctx context.Context, name string) (*site, error) {
	if err := stream.CheckSite(name); err != nil {
		return nil, err
	}
	if !l.ready.Load() {
		return nil, fmt.Errorf("%w: it is not open yet", stream.ErrUnavailable)
	}
	l.mu.Lock()
	s := l.sites[name]
	l.mu.Unlock()
	if s != nil {
		return s, nil
	}
	err := retry(ctx, func(ctx context.Context) (err error) {
		s, err = l.openStream(ctx, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open the stream of site %s: %w", name, err)
	}
	return s, nil
}

// openStream uses the stream of a site, or creates it. Nodes that race agree: one creates the stream, the others find
// the name in use and read its epochs.
func (l *Log) openStream(ctx context.Context, name string) (*site, error) {
	info, err := l.describe(ctx, name, "")
	if errorCode(err) == jetstream.JSErrCodeStreamNotFound {
		cfg := withEpochs(l.opts.settings(name, jetstream.StreamConfig{}), stream.NewEpochs(1))
		made, err := l.js.CreateStream(ctx, cfg)
		if err != nil {
			return nil, err
		}
		info = made.CachedInfo()
	} else if err != nil {
		return nil, err
	}
	if err := l.checkSettings(name, info); err != nil {
		return nil, err
	}
	return l.observe(name, info), nil
}

// checkSettings returns why a stream cannot be used. When it has other settings than those of this node, it logs which, once for each
// combination: all sites may have the same.
func (l *Log) checkSettings(name string, info *jetstream.StreamInfo) error {
	want := l.opts.settings(name, info.Config)
	switch {
	case !slices.Equal(info.Config.Subjects, want.Subjects):
		return fmt.Errorf("%w: stream %s has the subjects %s, not %s; choose another prefix with PROOF_NATS_STREAM",
			errUnfit, want.Name, strings.Join(info.Config.Subjects, ", "), want.Subjects[0])
	case len(readEpochs(info.Config)) == 0:
		return fmt.Errorf("%w: stream %s holds no epochs of ours; choose another prefix with PROOF_NATS_STREAM, "+
			"or set PROOF_NATS_UPDATE=true once to take it over", errUnfit, want.Name)
	case info.Config.Metadata[migratingKey] != "":
		return errMigrating
	}
	differ := strings.Join(differences(info.Config, want), "; ")
	l.mu.Lock()
	warned := l.warned[differ] || differ == ""
	l.warned[differ] = true
	l.mu.Unlock()
	if !warned {
		l.opts.Logger.Warn("stream settings differ from those of this node; not changed without PROOF_NATS_UPDATE=true",
			"stream", want.Name, "differ", differ)
	}
	return nil
}

// observe records what info says of a site's stream, and returns the site.
func (l *Log) observe(name string, info *jetstream.StreamInfo) *site {
	l.mu.Lock()
	s := l.sites[name]
	if s == nil {
		s = &site{name: name, stream: l.opts.Stream + "-" + name, subject: l.opts.Stream + "." + name + "."}
		l.sites[name] = s
	}
	l.mu.Unlock()
	s.observe(info)
	return s
}

// observe takes over epochs and high watermark from info. The high watermark never falls, except when the stream was created again.
func (s *site) observe(info *jetstream.StreamInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.created.Equal(info.Created) {
		s.created, s.high = info.Created, 0
	}
	if h := readEpochs(info.Config); len(h) > 0 {
		s.epochs = h
	}
	s.high = max(s.high, info.State.LastSeq)
}

// advance records that the log has a sequence, and returns its id.
func (s *site) advance(seq uint64) stream.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.high = max(s.high, seq)
	return s.epochs.ID(seq)
}

// newest returns the newest sequence that this process knows of.
func (s *site) newest() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.high
}

// stale reports whether info is from a leader that has not applied all that this process knows of.
func (s *site) stale(info *jetstream.StreamInfo) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.created.Equal(info.Created) && info.State.LastSeq < s.high
}

// checkStreams checks that the cluster responds and that the streams of the configured sites fit. With Options.Update it changes their
// settings.
func (l *Log) checkStreams(ctx context.Context) error {
	attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	if _, err := l.js.AccountInfo(attempt); err != nil {
		return err
	}
	alone := false
	if l.opts.Update {
		var err error
		if alone, err = l.onlyNode(ctx); err != nil {
			return err
		}
	}
	for _, name := range l.opts.Sites {
		if err := l.checkStream(ctx, name, alone); err != nil {
			return fmt.Errorf("site %s: %w", name, err)
		}
	}
	return nil
}

func (l *Log) checkStream(ctx context.Context, name string, alone bool) error {
	if err := stream.CheckSite(name); err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	ctx, cancel := context.WithTimeout(ctx, retryTimeout)
	defer cancel()
	info, err := l.describe(ctx, name, "")
	if errorCode(err) == jetstream.JSErrCodeStreamNotFound {
		return nil
	}
	if err == nil && l.opts.Update && info.Config.Metadata[migratingKey] == "" {
		info, err = l.update(ctx, name, info, alone)
	}
	if err != nil {
		return err
	}
	if err := l.checkSettings(name, info); errors.Is(err, errMigrating) {
		return nil
	} else if err != nil {
		return err
	}
	l.observe(name, info)
	return nil
}

// update gives a stream our settings. When this is the only node, it also opens a new epoch, as each start of an embedded log does: the
// stream may have been restored from a backup, and the cursors beyond that must not come to name other events. While other nodes run,
// it was not restored: they would have ended. And they would name new events by the old epoch for a moment.
func (l *Log) update(ctx context.Context, name string, info *jetstream.StreamInfo, alone bool) (*jetstream.StreamInfo, error) {
	epochs := readEpochs(info.Config)
	switch {
	case len(epochs) == 0:
		epochs = stream.NewEpochs(1)
	case alone:
		epochs = epochs.Open(info.State.LastSeq).Trim(info.State.FirstSeq)
	}
	made, err := l.js.UpdateStream(ctx, withEpochs(l.opts.settings(name, info.Config), epochs))
	if err != nil {
		return nil, err
	}
	l.opts.Logger.Info("stream has these settings now", "stream", made.CachedInfo().Config.Name, "epoch", epochs[len(epochs)-1].Name, "alone", alone)
	return made.CachedInfo(), nil
}
