package natslog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// note records what the embedded log knows of itself, less the events about to be erased.
// Callers hold l.keep.
func (l *Log) note(ctx context.Context, erasing uint64, synced bool) error {
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	s, err := l.js.Stream(ctx, l.opts.Stream)
	if err != nil {
		return err
	}
	state := s.CachedInfo().State
	b := bounds(state)
	r := record{
		Chain: l.Chain(), First: b.First, FirstTime: state.FirstTime, Last: b.Last,
		Events: b.Events - min(erasing, b.Events), Retention: l.opts.Retention,
	}
	if l.noted.same(r) && !synced {
		return nil
	}
	l.noted = r
	return r.write(l.opts.Dir, synced)
}

// same says whether two records tell the same.
func (r *record) same(other record) bool {
	return r.First == other.First && r.Last == other.Last && r.Events == other.Events &&
		len(r.Chain) == len(other.Chain) && r.Chain.ID(r.Last) == other.Chain.ID(other.Last)
}

// seal records the sums of the files of a server that was stopped in good order.
func (l *Log) seal() error {
	if err := l.settle(false); err != nil {
		return err
	}
	files, err := sums(l.files())
	if err != nil {
		return err
	}
	l.noted.Files = files
	return l.noted.write(l.opts.Dir, true)
}

// inspect compares the files with their sums, before the server touches them. Sums that were right
// are struck from the record: they will not be for long. It returns whether the files were left in good
// order. The record is there before any of them: should it be missing some day, that is damage.
func (l *Log) inspect() (sealed bool, err error) {
	r, err := readRecord(l.opts.Dir)
	if errors.Is(err, fs.ErrNotExist) && !l.begun() {
		return false, (&record{First: 1}).write(l.opts.Dir, true)
	}
	if err != nil || r.Files == nil {
		return false, nil // openOwn looks at the record again
	}
	if l.wrong, err = r.compareFiles(l.files()); err != nil || len(l.wrong) > 0 {
		return false, err
	}
	r.Files = nil
	return true, r.write(l.opts.Dir, true)
}

// begun says whether the embedded server has begun a stream here.
func (l *Log) begun() bool {
	_, err := os.Lstat(filepath.Dir(l.files()))
	return !errors.Is(err, fs.ErrNotExist)
}

// files is where the embedded server keeps the events.
func (l *Log) files() string {
	return filepath.Join(l.opts.Dir, "jetstream", "$G", "streams", l.opts.Stream, "msgs")
}

// openOwn opens or creates the stream of the embedded server, with today's settings and a new epoch,
// and compares it with the record of what it was. Callers hold l.keep, or are Open.
func (l *Log) openOwn(ctx context.Context) error {
	old, unreadable := readRecord(l.opts.Dir)
	cfg, state, chain, err := l.recover(ctx, old)
	if err != nil {
		return err
	}
	wrong := l.wrong
	if l.wrong = nil; unreadable != nil {
		wrong = append(wrong, fmt.Sprintf("the record of what there was is lost: %v", unreadable))
	} else {
		wrong = append(wrong, old.compare(bounds(state))...)
	}
	begin := chain.Open
	if len(wrong) > 0 {
		l.tellDamage(wrong, state)
		begin = chain.Break // whoever is before or after what is missing must be told of a gap
	}
	if err := l.update(ctx, cfg, begin(newEpoch(), state.LastSeq, keepEpochs)); err != nil {
		return err
	}
	if err := l.syncPath(); err != nil {
		return err
	}
	if err := l.syncReplaced(); err != nil {
		return err
	}
	l.erasing.Store(false)
	return l.note(ctx, 0, true)
}

// recover returns the stream as the server brought it back. Its description can be lost alone (the
// server writes it as two files): made anew, it takes up the events that are there.
func (l *Log) recover(ctx context.Context, old *record) (cfg jetstream.StreamConfig, state jetstream.StreamState, chain stream.Chain, err error) {
	s, err := l.js.Stream(ctx, l.opts.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if s, err = l.js.CreateStream(ctx, l.opts.settings(jetstream.StreamConfig{})); err != nil {
			return cfg, state, nil, err
		}
		if old != nil && len(old.Chain) > 0 { // without, this is the first start
			chain = old.Chain
			l.opts.Logger.Warn("the log's description was missing or torn; made anew from the record", "dir", l.opts.Dir)
		}
		return s.CachedInfo().Config, s.CachedInfo().State, chain, nil
	}
	if err != nil {
		return cfg, state, nil, err
	}
	cfg, state = s.CachedInfo().Config, s.CachedInfo().State
	chain, err = readChain(cfg.Metadata)
	return cfg, state, chain, err
}

func (l *Log) tellDamage(wrong []string, state jetstream.StreamState) {
	l.opts.Logger.Error("log is damaged; visitors who come back will be told of a gap, and get what is kept; every event that is kept keeps its id",
		"dir", l.opts.Dir, "damage", wrong, "events", state.Msgs, "last", state.LastSeq)
	l.mu.Lock()
	l.damage = append(l.damage, wrong...)
	l.mu.Unlock()
}

// Damage returns what was found wrong with an embedded log's files when it was opened, in words;
// nothing when they were as it left them.
func (l *Log) Damage() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.damage...)
}
