package stream

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Options set the bounds of a Registry.
type Options struct {
	// Buffer is how many events wait in a subscriber's channel. Default 64.
	Buffer int
	// MaxSubscribers is how many subscriptions are open at once. Default 10,000.
	MaxSubscribers int
	// Retain and Retention are what the log keeps per site: at most so many events of each kind,
	// at most so long. Defaults 1,000 and 720 h.
	Retain    int
	Retention time.Duration
	// Window is how many of a site's newest frames stay in memory; older ones are read from the
	// log. Default 1,024.
	Window int
	// ArrearsWindow and ArrearsBytes are how many frames, and how many bytes of them, stay in
	// memory while a subscription of the site is in arrears. Defaults 65,536 and 16 MiB.
	ArrearsWindow int
	ArrearsBytes  int
	// Readers is how many subscriptions may read the log at the same time. Default 8.
	Readers int
}

func (o Options) withDefaults() Options {
	def := func(value *int, to int) {
		if *value == 0 {
			*value = to
		}
	}
	def(&o.Buffer, 64)
	def(&o.MaxSubscribers, 10_000)
	def(&o.Retain, 1_000)
	def(&o.Window, 1_024)
	def(&o.ArrearsWindow, 65_536)
	def(&o.ArrearsBytes, 16<<20)
	def(&o.Readers, 8)
	if o.Retention == 0 {
		o.Retention = 720 * time.Hour
	}
	o.ArrearsWindow = max(o.ArrearsWindow, o.Window)
	return o
}

// Registry knows every open subscription, by site, and hands each event of the log to those of its
// site. It never waits for a subscriber: whoever falls behind catches up by itself, from memory or
// from the log.
type Registry struct {
	log      Log
	o        Options
	head     atomic.Uint64 // newest sequence handed out
	stored   atomic.Uint64 // newest sequence that was stored through this process
	pending  atomic.Uint64 // events known to follow head in the log
	open     atomic.Int64  // subscriptions
	draining atomic.Bool
	now      func() time.Time
	readers  chan struct{} // one token for each reader of the log
	slot     atomic.Uint32 // of the newest subscription: which beat of the heartbeat is its
	counters counters
	feeder   feeder
	reach    reach
	doubts   doubts // of the one goroutine in Run

	mu    sync.RWMutex // guards sites and base
	sites map[string]*site
	base  uint64 // floor of a site of which nothing is kept
}

// NewRegistry returns a registry over a log. It is empty until Run has read the log.
func NewRegistry(log Log, o Options) *Registry {
	o = o.withDefaults()
	return &Registry{
		log:     log,
		now:     time.Now,
		o:       o,
		readers: make(chan struct{}, o.Readers),
		feeder:  feeder{wake: make(chan struct{}, 1)},
		sites:   make(map[string]*site),
	}
}

// site returns what is known of a site. Names are checked at the door: there are only as many as
// are configured, or were when the log was written.
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
		t = &site{name: name, reg: r, floor: r.base}
		r.sites[name] = t
	}
	return t
}

// Run reads the log, calls primed once it has caught up, and from then on hands each new event to
// the subscriptions of its site, until ctx ends or the log cannot go on.
func (r *Registry) Run(ctx context.Context, primed func()) error {
	ctx, stop := context.WithCancel(ctx)
	var feeding sync.WaitGroup
	feeding.Go(func() { r.runFeeder(ctx) })
	feeding.Go(func() { r.watch(ctx) })
	defer feeding.Wait()
	defer stop()
	if err := r.prime(ctx); err != nil {
		return err
	}
	primed()
	for ev, err := range r.log.Follow(ctx, r.head.Load()) {
		if err != nil {
			return fmt.Errorf("follow the log: %w", err)
		}
		r.checkHole(ev)
		r.deliver(ev)
	}
	return ctx.Err()
}

// deliver hands one event of the log to its site.
func (r *Registry) deliver(ev Event) {
	t := r.site(ev.Site)
	if ev.Kind == Retract {
		if id, err := RetractedID(ev.Data); err == nil {
			t.withdraw(id.Seq)
		}
	}
	t.publish(NewFrame(r.log.Chain().ID(ev.Seq), ev.Kind, ev.Time, ev.Data), r.now())
	r.pending.Store(ev.Pending)
	r.head.Store(max(r.head.Load(), ev.Seq)) // only the goroutine in Run writes it
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
		t.mu.Lock()
		all = append(append(all, t.live...), t.arrears...)
		t.mu.Unlock()
	}
	return all
}
