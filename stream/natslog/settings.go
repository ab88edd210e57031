package natslog

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// settings returns base with the settings that are ours; all others stay as they are.
func (o Options) settings(base jetstream.StreamConfig) jetstream.StreamConfig {
	base.Name = o.Stream
	base.Subjects = []string{o.Stream + ".*.signup", o.Stream + ".*.retract"}
	base.Retention = jetstream.LimitsPolicy
	base.Storage = jetstream.FileStorage
	base.Discard = jetstream.DiscardOld
	base.MaxMsgsPerSubject = int64(o.Retain)
	base.MaxAge = o.Retention
	base.Duplicates = o.window()
	base.AllowDirect = true
	base.DenyDelete = false
	base.Replicas = o.Replicas
	return base
}

// differences names the settings of ours that a stream has otherwise, as "have, want" pairs.
func differences(have, want jetstream.StreamConfig) []string {
	var d []string
	add := func(name string, have, want any) {
		if h, w := fmt.Sprint(have), fmt.Sprint(want); h != w {
			d = append(d, fmt.Sprintf("%s is %s, not %s", name, h, w))
		}
	}
	slices.Sort(have.Subjects)
	slices.Sort(want.Subjects)
	add("subjects", have.Subjects, want.Subjects)
	add("retention policy", have.Retention, want.Retention)
	add("storage", have.Storage, want.Storage)
	add("discard policy", have.Discard, want.Discard)
	add("messages per subject", have.MaxMsgsPerSubject, want.MaxMsgsPerSubject)
	add("maximum age", have.MaxAge, want.MaxAge)
	add("duplicate window", have.Duplicates, want.Duplicates)
	add("direct get", have.AllowDirect, want.AllowDirect)
	add("deletion denied", have.DenyDelete, want.DenyDelete)
	add("replicas", have.Replicas, want.Replicas)
	return d
}

// create makes the stream with its first epoch.
func (l *Log) create(ctx context.Context) error {
	chain := stream.Chain{{Name: newEpoch(), First: 1}}
	cfg := l.opts.settings(jetstream.StreamConfig{})
	writeChain(&cfg, chain)
	if _, err := l.js.CreateStream(ctx, cfg); err != nil {
		return err
	}
	l.chain.Store(&chain)
	return nil
}

// update gives the stream our settings and these epochs.
func (l *Log) update(ctx context.Context, cfg jetstream.StreamConfig, chain stream.Chain) error {
	cfg = l.opts.settings(cfg)
	writeChain(&cfg, chain)
	if _, err := l.js.UpdateStream(ctx, cfg); err != nil {
		return err
	}
	l.chain.Store(&chain)
	return nil
}
