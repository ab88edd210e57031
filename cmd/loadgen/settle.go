package main

// caughtUp reports whether the first n subscribers have everything posted so far. While nothing is
// posted its cost over many calls is that of one look at each.
func (s *swarm) caughtUp(n int) bool {
	for s.settled < n && s.subs[s.settled].caughtUp(s.lanes) {
		s.settled++
	}
	return s.settled >= n
}

// close the books on the first n subscribers: what they have not got by now is lost, and whoever
// saw an order unlike the first one's is counted.
func (s *swarm) closeBooks(n int) {
	s.settled = 0
	reference := -1
	for i := range n {
		sub := &s.subs[i]
		for lane, l := range s.lanes {
			if to := l.posted.Load(); sub.next[lane] < to {
				s.counts.Lost += sub.skip(l, to)
			}
		}
		if sub.flawed {
			continue
		}
		if reference < 0 {
			reference = i
		}
		if sub.order != s.subs[reference].order {
			s.counts.Disordered++
		}
	}
}
