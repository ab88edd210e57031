package stream

import "sync/atomic"

// counters only grow.
type counters struct {
	frames    atomic.Uint64
	bytes     atomic.Uint64
	arrears   atomic.Uint64
	pages     atomic.Uint64
	overtaken atomic.Uint64
	ended     [6]atomic.Uint64 // by endings
	begun     [6]atomic.Uint64 // by beginnings
}

var endings = [...]Ending{Gone, Slow, Dead, Full, Drained, Overtaken}

// beginnings are the ways in which a subscription can begin.
var beginnings = [...]Welcome{
	{Replay: Fresh},
	{Replay: Complete},
	{Replay: Gap, Reason: Expired},
	{Replay: Gap, Reason: Foreign},
	{Replay: Gap, Reason: Ahead},
	{Replay: Gap, Reason: Malformed},
}

// Stats is a snapshot of a registry, for metrics. All but Subscribers, Kept and Lag only grow.
type Stats struct {
	Subscribers map[string]int    // open streams by site
	Kept        map[string]int    // signups kept by site
	Lag         uint64            // events in the log that subscribers have not been given yet
	Frames      uint64            // written to subscribers, heartbeats included
	Bytes       uint64            // of those frames
	Arrears     uint64            // times a full channel made a subscription catch up
	Pages       uint64            // pages read from the log to catch up
	Overtaken   uint64            // times the retention overtook the reader of the log
	Ended       map[string]uint64 // streams by reason
	Begun       map[string]uint64 // streams by result: fresh, complete, gap_expired …
}

// Stats returns the numbers of the moment.
func (r *Registry) Stats() Stats {
	st := Stats{
		Subscribers: make(map[string]int),
		Kept:        make(map[string]int),
		Lag:         r.lag(),
		Frames:      r.counters.frames.Load(),
		Bytes:       r.counters.bytes.Load(),
		Arrears:     r.counters.arrears.Load(),
		Pages:       r.counters.pages.Load(),
		Overtaken:   r.counters.overtaken.Load(),
		Ended:       make(map[string]uint64),
		Begun:       make(map[string]uint64),
	}
	for _, t := range r.allSites() {
		st.Subscribers[t.name], st.Kept[t.name] = t.numbers()
	}
	for i, why := range endings {
		st.Ended[string(why)] = r.counters.ended[i].Load()
	}
	for i, w := range beginnings {
		st.Begun[w.result()] = r.counters.begun[i].Load()
	}
	return st
}

// Numbers returns a site's open streams and kept signups.
func (r *Registry) Numbers(site string) (subscribers, kept int) {
	r.awaitOwn()
	return r.site(site).numbers()
}

func (t *site) numbers() (subscribers, kept int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(t.reg.now())
	return len(t.live) + len(t.arrears), t.kept[Announce].len()
}

// Sent counts what an owner of a subscription has written of a batch.
func (r *Registry) Sent(b Batch) {
	r.counters.frames.Add(uint64(b.Frames))
	r.counters.bytes.Add(uint64(len(b.Bytes)))
}

// left counts a subscription that ended, or was never let in.
func (r *Registry) left(why Ending) {
	r.open.Add(-1)
	for i := range endings {
		if endings[i] == why {
			r.counters.ended[i].Add(1)
		}
	}
}

func (c *counters) resumed(w Welcome) {
	for i, b := range beginnings {
		if b.Replay == w.Replay && b.Reason == w.Reason {
			c.begun[i].Add(1)
		}
	}
}

// result names the way a subscription began as metrics do.
func (w Welcome) result() string {
	if w.Reason == "" {
		return string(w.Replay)
	}
	return string(w.Replay) + "_" + string(w.Reason)
}

// Open returns how many subscriptions there are, of all sites.
func (r *Registry) Open() int { return int(r.open.Load()) }
