package registry

import (
	"context"
	"sync"
	"sync/atomic"

	"proofstream/stream"
)

// Options set the bounds of a Registry. A field below 1 means its default.
type Options struct {
	// Buffer is how many frames a subscriber's channel holds, and how many events a subscriber reads from the log at once. Default 64.
	Buffer int
	// MaxSubscribers is how many subscriptions are open at once at most. Default 10,000.
	MaxSubscribers int
	// Window is how many of a site's newest frames stay in memory. Older ones are read from the log. Default 1,024.
	Window int
	// LaggingWindow is how many frames of a site stay in memory while a subscription has not been sent all of them. Default 65,536; at
	// least Window.
	LaggingWindow int
	// LaggingBytes is how many bytes all frames of a site in memory have at most. Default 16 MiB.
	LaggingBytes int
	// Readers is how many subscriptions read the log at the same time at most. Default 8.
	Readers int
}

func (o Options) withDefaults() Options {
	set := func(value *int, to int) {
		if *value < 1 {
			*value = to
		}
	}
	set(&o.Buffer, 64)
	set(&o.MaxSubscribers, 10_000)
	set(&o.Window, 1_024)
	set(&o.LaggingWindow, 65_536)
	set(&o.LaggingBytes, 16<<20)
	set(&o.Readers, 8)
	o.LaggingWindow = max(o.LaggingWindow, o.Window)
	return o
}

// Registry holds the open subscriptions of every site. It never waits for a subscriber: one whose channel is full catches up by itself, from
// memory or from the log. All its methods may be called at the same time.
type Registry struct {
	log      stream.Log
	o        Options
	open     atomic.Int64 // subscriptions
	draining atomic.Bool
	readers  chan struct{} // one token for each read of the log
	start    chan *site    // sites that need a follower
	phase    atomic.Uint32 // counts subscriptions; modulo the number of phases it is the heartbeat phase of the newest
	counters counters
	queue    runQueue

	mu    sync.RWMutex // guards sites
	sites map[string]*site
}

// New returns a registry over a log. Join needs Run to run.
func New(log stream.Log, o Options) *Registry {
	o = o.withDefaults()
	return &Registry{
		log:     log,
		o:       o,
		readers: make(chan struct{}, o.Readers),
		start:   make(chan *site),
		queue:   runQueue{wake: make(chan struct{}, 1)},
		sites:   make(map[string]*site),
	}
}

// Run follows the sites that are in use and delivers their events, until ctx ends or the log of a site cannot go on. It returns the
// context's error, or the log's. It runs once.
func (r *Registry) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop(nil)
	running.Go(func() { r.fanOut(ctx) })
	running.Go(func() { r.watch(ctx) })
	for {
		select {
		case t := <-r.start:
			running.Go(func() {
				if err := t.follow(ctx); err != nil {
					stop(err)
				}
			})
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// site returns the state of a site, which the caller knows to exist.
func (r *Registry) site(name string) *site {
	r.mu.RLock()
	t := r.sites[name]
	r.mu.RUnlock()
	if t != nil {
		return t
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if t = r.sites[name]; t == nil {
		t = &site{name: name, reg: r}
		r.sites[name] = t
	}
	return t
}

func (r *Registry) allSites() []*site {
	r.mu.RLock()
	defer r.mu.RUnlock()
	sites := make([]*site, 0, len(r.sites))
	for _, t := range r.sites {
		sites = append(sites, t)
	}
	return sites
}

// subscriptions returns all open subscriptions.
func (r *Registry) subscriptions() []*Subscription {
	all := make([]*Subscription, 0, r.open.Load())
	for _, t := range r.allSites() {
		all = append(all, t.subscriptions()...)
	}
	return all
}

// read calls read, which reads the log, when fewer than Options.Readers others are under way.
func (r *Registry) read(ctx context.Context, read func() error) error {
	select {
	case r.readers <- struct{}{}:
		defer func() { <-r.readers }()
		return read()
	case <-ctx.Done():
		return ctx.Err()
	}
}
