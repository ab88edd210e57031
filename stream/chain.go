package stream

import "slices"

// Epoch is a stretch of the log's life in which no sequence was given twice.
type Epoch struct {
	Name  string `json:"name"`
	First uint64 `json:"first"` // sequence from which on events are of this epoch
	// Former lists, with the oldest epoch of a chain only, those that were before the log was found damaged: they
	// still name their events, but of any position in them something may be missing.
	Former Chain `json:"former,omitempty"`
}

// Chain lists the epochs of one log, oldest first, by rising First. An epoch ends where the next
// begins, so that a position from a tail that was lost (a power cut with relaxed fsync, a damaged
// file, a restored backup) is recognised as not being of this log.
type Chain []Epoch

// ID returns the ID of the event at seq, whatever became of the log since it was written. The chain has at least
// one epoch; an event older than all of them takes the oldest one's name.
func (c Chain) ID(seq uint64) ID {
	if former := c[0].Former; len(former) > 0 && seq < c[0].First {
		return former.ID(seq)
	}
	return c.Position(seq)
}

// Position returns the ID with which somebody who needs nothing up to seq can go on. It is that of the event there,
// unless that is of a former epoch: then it has the name of the oldest epoch in which nothing was lost.
func (c Chain) Position(seq uint64) ID {
	i := len(c) - 1
	for i > 0 && c[i].First > seq {
		i--
	}
	return ID{Epoch: c[i].Name, Seq: seq}
}

// Locate judges an ID against the log as it is, whose newest sequence is head. The reason is empty
// when the ID is a position of this log; otherwise it is Foreign for one that this log never gave,
// or whose events it has lost, and Ahead for one beyond the newest.
func (c Chain) Locate(id ID, head uint64) Reason {
	for i, e := range c {
		if e.Name != id.Epoch {
			continue
		}
		last := head
		if i+1 < len(c) && c[i+1].First <= head {
			last = c[i+1].First - 1
		}
		switch {
		case id.Seq <= last:
			return ""
		case last == head:
			return Ahead
		default:
			return Foreign
		}
	}
	return Foreign
}

// Seen tells whether an ID that Locate calls Foreign is a position of a former epoch all the same. Who comes with it
// has seen what is kept up to there; what came after it and is lost, nobody knows.
func (c Chain) Seen(id ID) bool {
	former := c[0].Former
	return len(former) > 0 && former.Locate(id, c[0].First-1) == ""
}

// Open returns the chain with a new epoch that begins after the newest sequence, last. Epochs that
// gave no position are dropped: those in which nothing was written, but for the ones of a log in
// which nothing ever was, and for one that gave positions in place of the former ones. At most the newest keep
// epochs stay.
func (c Chain) Open(name string, last uint64, keep int) Chain {
	next := make(Chain, 0, len(c)+1)
	for _, e := range c {
		if len(e.Former) > 0 {
			e.First = min(e.First, last+1)
		} else if e.First > max(last, 1) {
			continue
		}
		next = append(next, e)
	}
	next = append(next, Epoch{Name: name, First: last + 1})
	if len(next) > keep {
		next = next[len(next)-keep:]
	}
	return next
}

// Break returns the chain of a log that was found damaged: a new epoch begins after the newest sequence that is
// left, last, and every other is a former one. At most the newest keep of those stay.
func (c Chain) Break(name string, last uint64, keep int) Chain {
	var former Chain
	for _, e := range c {
		for _, e := range slices.Concat(e.Former, Chain{{Name: e.Name, First: e.First}}) {
			if e.First <= last {
				former = append(former, e)
			}
		}
	}
	return Chain{{Name: name, First: last + 1, Former: former[max(0, len(former)-keep):]}}
}
