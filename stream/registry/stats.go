package registry

import (
	"context"
	"sync/atomic"

	"proofstream/stream"
)

// counters only grow.
type counters struct {
	frames   atomic.Uint64
	bytes    atomic.Uint64
	catchUps atomic.Uint64
	pages    atomic.Uint64
	overruns atomic.Uint64
	ended    [len(closeReasons)]atomic.Uint64
	resumes  [len(resumes)]atomic.Uint64
}

var closeReasons = [...]CloseReason{Gone, Slow, Dead, Full, Drained, Overrun}

// resumes are the ways in which a subscription can begin.
var resumes = [...]Resume{
	{Replay: stream.Fresh},
	{Replay: stream.Complete},
	{Replay: stream.Gap, Reason: stream.Expired},
	{Replay: stream.Gap, Reason: stream.Foreign},
	{Replay: stream.Gap, Reason: stream.Ahead},
	{Replay: stream.Gap, Reason: stream.Malformed},
}

// Stats is a snapshot of a registry, for metrics. All but Subscribers and Lag only grow.
type Stats struct {
	Subscribers map[string]int    // open streams by site
	Lag         uint64            // events in the log that subscribers have not been given yet
	Frames      uint64            // written to subscribers, heartbeats included
	Bytes       uint64            // of those frames
	CatchUps    uint64            // times a full channel made a subscription catch up
	Pages       uint64            // pages of the log that subscriptions read
	Overruns    uint64            // times retention removed what the reader of a site was about to get
	Ended       map[string]uint64 // streams by close reason
	Resumes     map[string]uint64 // streams by resume result: fresh, complete, gap_expired …
}

// Stats returns the numbers of the moment.
func (r *Registry) Stats() Stats {
	st := Stats{
		Subscribers: make(map[string]int),
		Lag:         r.lag(),
		Frames:      r.counters.frames.Load(),
		Bytes:       r.counters.bytes.Load(),
		CatchUps:    r.counters.catchUps.Load(),
		Pages:       r.counters.pages.Load(),
		Overruns:    r.counters.overruns.Load(),
		Ended:       make(map[string]uint64),
		Resumes:     make(map[string]uint64),
	}
	for _, t := range r.allSites() {
		st.Subscribers[t.name] = t.subscribers()
	}
	for i, why := range closeReasons {
		st.Ended[string(why)] = r.counters.ended[i].Load()
	}
	for i, resume := range resumes {
		st.Resumes[resume.result()] = r.counters.resumes[i].Load()
	}
	return st
}

// Numbers returns a site's open streams, and its kept signups as the log has them now. The error is the
// log's.
func (r *Registry) Numbers(ctx context.Context, site string) (subscribers, kept int, err error) {
	b, err := r.log.Bounds(ctx, site)
	return r.site(site).subscribers(), b.Signups, err
}

// Open returns how many subscriptions there are, of all sites.
func (r *Registry) Open() int { return int(r.open.Load()) }

func (t *site) subscribers() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open()
}

// Sent counts what was written of a batch, or of a frame that the owner of a subscription made itself.
func (r *Registry) Sent(b Batch) {
	r.counters.frames.Add(uint64(b.Frames))
	r.counters.bytes.Add(uint64(len(b.Bytes)))
}

// left counts a subscription that ended, or was never let in.
func (r *Registry) left(why CloseReason) {
	r.open.Add(-1)
	for i := range closeReasons {
		if closeReasons[i] == why {
			r.counters.ended[i].Add(1)
		}
	}
}

func (c *counters) resumed(resume Resume) {
	for i, known := range resumes {
		if known.Replay == resume.Replay && known.Reason == resume.Reason {
			c.resumes[i].Add(1)
		}
	}
}

// result names a resume as metrics do.
func (r Resume) result() string {
	if r.Reason == "" {
		return string(r.Replay)
	}
	return string(r.Replay) + "_" + string(r.Reason)
}
