package registry

import (
	"context"
	"sync/atomic"

	"proofstream/stream"
)

// counters are the numbers of Stats that only grow.
type counters struct {
	frames   atomic.Uint64
	bytes    atomic.Uint64
	catchUps atomic.Uint64
	pages    atomic.Uint64
	overruns atomic.Uint64
	ended    [len(closeReasons)]atomic.Uint64
	resumes  [len(resumes)]atomic.Uint64
}

// closeReasons are the reasons that are counted, in the order of counters.ended.
var closeReasons = [...]CloseReason{Gone, Slow, Dead, Full, Drained, Overrun, Refused}

// resumes are the resume results that are counted, in the order of counters.resumes.
var resumes = [...]Resume{
	{Replay: stream.Fresh},
	{Replay: stream.Complete},
	{Replay: stream.Gap, Reason: stream.Expired},
	{Replay: stream.Gap, Reason: stream.EpochChanged},
	{Replay: stream.Gap, Reason: stream.Ahead},
	{Replay: stream.Gap, Reason: stream.Malformed},
}

// Stats is a snapshot of a registry, for metrics. All numbers except Subscribers and Lag only grow.
type Stats struct {
	Subscribers map[string]int    // open streams by site
	Lag         uint64            // sequences known to be in the logs that were not delivered yet
	Frames      uint64            // written to subscribers, heartbeats included
	Bytes       uint64            // of those frames
	CatchUps    uint64            // times a full channel made a subscription catch up
	Pages       uint64            // pages of the log that subscriptions read
	Overruns    uint64            // times retention removed what the reader of a site was about to get
	Ended       map[string]uint64 // streams by close reason
	Resumes     map[string]uint64 // streams by resume result: fresh, complete, gap_expired …
}

// Stats returns the current numbers.
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

// Numbers returns how many streams of a site are open, and how many signups its log keeps. The error is the context's or wraps
// stream.ErrUnavailable.
func (r *Registry) Numbers(ctx context.Context, site string) (subscribers, kept int, err error) {
	b, err := r.log.Bounds(ctx, site)
	return r.site(site).subscribers(), b.Signups, err
}

// Open returns how many subscriptions of all sites are open or being opened.
func (r *Registry) Open() int { return int(r.open.Load()) }

func (t *site) subscribers() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open()
}

// Sent counts a batch that was written to a subscriber, or a frame that the owner of a subscription has made, such as ready.
func (r *Registry) Sent(b Batch) {
	r.counters.frames.Add(uint64(b.Frames))
	r.counters.bytes.Add(uint64(len(b.Bytes)))
}

// left counts a subscription that ended or was refused.
func (r *Registry) left(why CloseReason) {
	r.open.Add(-1)
	for i := range closeReasons {
		if closeReasons[i] == why {
			r.counters.ended[i].Add(1)
		}
	}
}

// resumed counts a subscription that was opened.
func (c *counters) resumed(resume Resume) {
	for i, known := range resumes {
		if known.Replay == resume.Replay && known.Reason == resume.Reason {
			c.resumes[i].Add(1)
		}
	}
}

// result returns the name of a resume result in metrics.
func (r Resume) result() string {
	if r.Reason == "" {
		return string(r.Replay)
	}
	return string(r.Replay) + "_" + string(r.Reason)
}
