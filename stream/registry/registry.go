package registry

import (
	"context"
	"sync"
	"sync/atomic"

	"proofstream/stream"
)

// Options set the bounds of a Registry. A zero field means its default; negative ones are not allowed.
type Options struct {
	// Buffer is how many events wait in a subscriber's channel, and how many it reads from the log at
	// once. Default 64.
	Buffer int
	// MaxSubscribers is how many subscriptions are open at once. Default 10,000.
	MaxSubscribers int
	// Window is how many of a site's newest frames stay in memory; older ones are read from the
	// log. Default 1,024.
	Window int
	// LaggingWindow and LaggingBytes are how many frames, and how many bytes of them, stay in memory
	// while a subscription of the site has not been sent all of them. Defaults 65,536 and 16 MiB.
	LaggingWindow int
	LaggingBytes  int
	// Readers is how many reads of the log run at the same time. Default 8.
	Readers int
}

func (o Options) withDefaults() Options {
	set := func(value *int, to int) {
		if *value == 0 {
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

// Registry holds the open subscriptions of every site. It never waits for a subscriber: one whose channel
// is full catches up by itself, from memory or from the log.
type Registry struct {
	log      stream.Log
	o        Options
	open     atomic.Int64 // subscriptions
	draining atomic.Bool
	readers  chan struct{} // one token for each read of the log
	start    chan *site    // sites that need a follower
	phase    atomic.Uint32 // of the newest subscription: see Heartbeat
	counters counters
	queue    runQueue

	mu    sync.RWMutex // guards sites
	sites map[string]*site
}

// New returns a registry over a log. It serves while Run runs.
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

// Run follows the sites that are in use and hands out their events, until ctx ends or the log of one
// cannot go on. It returns the context's error, or the log's.
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

// site returns what is known of a site, which the caller knows to exist.
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

// subscriptions returns all that are open now.
func (r *Registry) subscriptions() []*Subscription {
	all := make([]*Subscription, 0, r.open.Load())
	for _, t := range r.allSites() {
		all = append(all, t.subscriptions()...)
	}
	return all
}

// read runs one read of the log, when it is its turn.
func (r *Registry) read(ctx context.Context, read func() error) error {
	select {
	case r.readers <- struct{}{}:
		defer func() { <-r.readers }()
		return read()
	case <-ctx.Done():
		return ctx.Err()
	}
}
