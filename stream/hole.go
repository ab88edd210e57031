package stream

// doubts are sequences that were gone before the reader of the log came to them. Either somebody
// erased them by another node, and then the log holds a retraction that says so further on; or the
// retention overtook the reader, and subscribers have missed something.
type doubts struct {
	gone map[uint64]bool
	left uint64 // events that followed in the log when the newest of them was missed
}

// mostDoubts is how many missing sequences are worth waiting for an explanation.
const mostDoubts = 10_000

// checkHole notices what is missing before an event that is about to be handed out. (Erasing waits
// for its own node's reader, so that one node alone has no doubts.)
func (r *Registry) checkHole(ev Event) {
	d := &r.doubts
	if next := r.head.Load() + 1; ev.Seq > next {
		if ev.Seq-next > mostDoubts {
			r.overtake(ev.Seq)
			return
		}
		if d.gone == nil {
			d.gone = make(map[uint64]bool)
		}
		for ; next < ev.Seq; next++ {
			d.gone[next] = true
		}
		d.left = ev.Pending
	} else if d.left > 0 {
		d.left--
	}
	if len(d.gone) == 0 {
		return
	}
	if id, err := RetractedID(ev.Data); err == nil && ev.Kind == Retract {
		delete(d.gone, id.Seq)
	}
	if len(d.gone) > 0 && (d.left == 0 || ev.Pending == 0) {
		r.overtake(ev.Seq)
	}
}

// overtake tells that the retention removed what was not handed out, somewhere before the event upTo.
// Who is subscribed may have missed something: every stream is ended, and told of a gap when it comes
// back.
func (r *Registry) overtake(upTo uint64) {
	r.doubts = doubts{}
	r.counters.overtaken.Add(1)
	r.mu.Lock()
	r.base = max(r.base, upTo)
	r.mu.Unlock()
	for _, t := range r.allSites() {
		t.mu.Lock()
		t.floor = max(t.floor, upTo)
		t.mu.Unlock()
	}
	for _, s := range r.subscriptions() {
		s.End(Overtaken)
	}
}
