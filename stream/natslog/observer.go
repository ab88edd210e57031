package natslog

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// observer collects facts.
type observer struct {
	mu     sync.Mutex // guards the fields below
	facts  facts
	reason error // why the connection was last lost
}

func (o *observer) note(change func(f *facts)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.facts)
}

func (o *observer) close()    { o.note(func(f *facts) { f.closed = true }) }
func (o *observer) appended() { o.note(func(f *facts) { f.stored = time.Now() }) }

// appendFailed records a failed append, unless another one that began later was stored: then an election lost this one.
func (o *observer) appendFailed(begun time.Time, err error) {
	o.note(func(f *facts) {
		switch {
		case f.stored.After(begun):
		case temporary(err):
			f.failed, f.failure = time.Now(), err
		default:
			f.refused, f.refusal = time.Now(), err
		}
	})
}

// probed records the outcome of a probe. info is nil when the probe was not of a stream.
func (o *observer) probed(info *jetstream.StreamInfo, err error) {
	o.note(func(f *facts) {
		if err != nil {
			f.failed, f.failure = time.Now(), err
			return
		}
		f.responded, f.servers = time.Now(), nil
		if info != nil {
			f.servers = info.Cluster
		}
	})
}

// disconnected records why there is no connection.
func (o *observer) disconnected(err error) {
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.reason = err
	}
}

func (o *observer) disconnectReason() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reason == nil {
		return errors.New("no server answers")
	}
	return o.reason
}

// Healthy returns nil when an Append would be expected to succeed now, or why not. It needs the observations of Run.
func (l *Log) Healthy() error {
	l.health.mu.Lock()
	f := l.health.facts
	l.health.mu.Unlock()
	if !f.closed && !l.ready.Load() {
		return errors.New("the log is not open yet")
	}
	if !f.closed && !l.nc.IsConnected() {
		f.disconnected = l.health.disconnectReason()
	}
	return health(f, time.Now())
}

// Run observes the cluster's health until ctx ends or the log is closed, with one request a second, and logs when the log becomes unhealthy
// and healthy. The error is a *LostError when a site's stream was deleted. Follow notices that for followed sites only.
func (l *Log) Run(ctx context.Context) error {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	healthy, name, gone := true, "", time.Time{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if l.nc.IsClosed() {
			return nil
		}
		if healthy = l.report(healthy); healthy { // else probe the stream without a quorum again
			name = l.nextSite(name)
		}
		if err := l.probe(ctx, name); errorCode(err) != jetstream.JSErrCodeStreamNotFound {
			gone = time.Time{}
		} else if hasLasted(&gone, deletedTimeout) {
			return &LostError{Site: name, Read: l.newest(name), Gone: true}
		}
		healthy = l.report(healthy)
	}
}

// report logs when the health has changed, and returns whether the log is healthy.
func (l *Log) report(before bool) (healthy bool) {
	err := l.Healthy()
	switch {
	case err == nil && !before:
		l.opts.Logger.Info("log stores again")
	case err != nil && before && !errors.Is(err, errClosed):
		l.opts.Logger.Error("log does not store", "error", err)
	}
	return err == nil
}

// probe requests the description of a site's stream, or of the account when name is empty, and records the outcome.
func (l *Log) probe(ctx context.Context, name string) error {
	probing, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	var info *jetstream.StreamInfo
	var err error
	if name == "" {
		_, err = l.js.AccountInfo(probing)
	} else if info, err = l.describe(probing, name, ""); err == nil {
		l.observe(name, info)
	}
	if ctx.Err() == nil {
		l.health.probed(info, err)
	}
	return err
}

// newest returns the newest sequence of a site that this process knows of.
func (l *Log) newest(name string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.sites[name]; s != nil {
		return s.newest()
	}
	return 0
}

// nextSite returns the next of the followed sites after name, in turn. While none is followed, it takes the sites whose streams are known;
// without those, it returns "".
func (l *Log) nextSite(name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := slices.Sorted(maps.Keys(l.followers))
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(l.sites))
	}
	if len(names) == 0 {
		return ""
	}
	i, found := slices.BinarySearch(names, name)
	if found {
		i++
	}
	return names[i%len(names)]
}
