package main

// audit counts what subscribers received against what the server stored.
type audit struct {
	Delivered  int64 `json:"delivered"`
	Lost       int64 `json:"lost"`       // stored events that a subscriber skipped or never received
	Repeated   int64 `json:"repeated"`   // events received again, or after a later one
	Disordered int64 `json:"disordered"` // subscribers whose order differs from the first subscriber's
	Dropped    int64 `json:"dropped"`    // ready streams that ended without our closing them
	Busy       int64 `json:"busy"`       // streams that got "busy"
	Failed     int64 `json:"failed"`     // connections refused, reset or with an error status
	Unexpected int64 `json:"unexpected"` // events that this run did not post
}

// since returns the difference to an earlier audit.
func (a audit) since(b audit) audit {
	return audit{
		a.Delivered - b.Delivered, a.Lost - b.Lost, a.Repeated - b.Repeated, a.Disordered - b.Disordered,
		a.Dropped - b.Dropped, a.Busy - b.Busy, a.Failed - b.Failed, a.Unexpected - b.Unexpected,
	}
}

// violations returns the number of broken promises. Unexpected events are not among them.
func (a audit) violations() int64 {
	return a.Lost + a.Repeated + a.Disordered + a.Dropped + a.Busy + a.Failed
}

// observe records one of our events. It reports whether the subscriber had not received it before.
func (s *subscriber) observe(k tag, publishers []*publisher, a *audit) (first bool) {
	want := &s.next[k.publisher]
	if k.seq < *want {
		a.Repeated++
		s.orderInvalid = true
		return false
	}
	if k.seq > *want {
		a.Lost += s.skip(publishers[k.publisher], k.seq)
	}
	*want = k.seq + 1
	a.Delivered++
	s.order = (s.order ^ uint64(k.publisher)<<32 ^ uint64(k.seq)) * 0x9e3779b97f4a7c15
	s.order ^= s.order >> 29
	return true
}

// skip makes seq the next expected event of p and returns how many stored events that omits.
// Events whose outcome is unknown do not count: subscribers may have them or not.
func (s *subscriber) skip(p *publisher, seq uint32) int64 {
	n := int64(p.stored(s.next[p.index], seq))
	s.next[p.index] = seq
	s.orderInvalid = s.orderInvalid || n > 0
	return n
}

// caughtUp reports whether the subscriber is ready and has received every event posted so far.
func (s *subscriber) caughtUp(publishers []*publisher) bool {
	if s.state != stateReady {
		return false
	}
	for i, p := range publishers {
		if to := p.posted.Load(); s.next[i] < to && p.stored(s.next[i], to) > 0 {
			return false
		}
	}
	return true
}

// caughtUp reports whether the first n subscribers have received every event posted so far. It
// resumes at the first subscriber that had not, so all calls of a phase together cost O(n).
func (p *pool) caughtUp(n int) bool {
	for p.caughtUpCount < n && p.subs[p.caughtUpCount].caughtUp(p.publishers) {
		p.caughtUpCount++
	}
	return p.caughtUpCount >= n
}

// finishAudit counts as lost what the first n subscribers have not received by now, and counts the
// subscribers whose order differs from the first one's.
func (p *pool) finishAudit(n int) {
	p.caughtUpCount = 0
	reference := -1
	for i := range n {
		sub := &p.subs[i]
		for k, pub := range p.publishers {
			if to := pub.posted.Load(); sub.next[k] < to {
				p.counts.Lost += sub.skip(pub, to)
			}
		}
		if sub.orderInvalid {
			continue
		}
		if reference < 0 {
			reference = i
		}
		if sub.order != p.subs[reference].order {
			p.counts.Disordered++
		}
	}
}
