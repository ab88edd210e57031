package stream

// Epoch is a stretch of the log's life in which no sequence was given twice.
type Epoch struct {
	Name  string `json:"name"`
	First uint64 `json:"first"` // sequence from which on events are of this epoch
}

// Chain lists the epochs of one log, oldest first, by rising First. An epoch ends where the next
// begins, so that a position from a tail that was lost (a power cut with relaxed fsync, a damaged
// file, a restored backup) is recognised as not being of this log.
type Chain []Epoch

// ID returns the ID of the position seq. The chain has at least one epoch; a position older than
// all of them takes the oldest one's name.
func (c Chain) ID(seq uint64) ID {
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

// Open returns the chain with a new epoch that begins after the newest sequence, last. Epochs that
// gave no position are dropped: those in which nothing was written, but for the ones of a log in
// which nothing ever was. At most the newest keep epochs stay.
func (c Chain) Open(name string, last uint64, keep int) Chain {
	next := make(Chain, 0, len(c)+1)
	for _, e := range c {
		if e.First <= max(last, 1) {
			next = append(next, e)
		}
	}
	next = append(next, Epoch{Name: name, First: last + 1})
	if len(next) > keep {
		next = next[len(next)-keep:]
	}
	return next
}
