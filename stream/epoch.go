package stream

import "crypto/rand"

// Epoch is a stretch of a site's log in which no sequence was given twice.
type Epoch struct {
	Name  string `json:"name"`  // [a-z0-9]{1,16}
	First uint64 `json:"first"` // its first sequence; it ends where the next epoch begins
	// Lost marks an epoch from before damage to the log. Its kept events keep their ids, but something
	// after any cursor in it may be missing.
	Lost bool `json:"lost,omitempty"`
}

// Epochs is the epoch history of a site's log, oldest first, by rising First. A new log has two: an
// origin with First 0, which names the cursor of a subscriber that has seen nothing, and the first
// that names events.
type Epochs []Epoch

// NewEpochs returns the history of a new log whose first sequence is to be first, usually 1.
func NewEpochs(first uint64) Epochs {
	return Epochs{{Name: NewEpochName(), First: first - 1}, {Name: NewEpochName(), First: first}}
}

// NewEpochName returns a name that no other epoch has: six random characters of [a-z0-9].
func NewEpochName() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	random := make([]byte, 6)
	rand.Read(random)
	for i := range random {
		random[i] = alphabet[int(random[i])%len(alphabet)]
	}
	return string(random)
}

// ID returns the id of the event at seq. An event older than every epoch takes the oldest one's name.
func (h Epochs) ID(seq uint64) ID { return ID{Epoch: h[h.at(seq)].Name, Seq: seq} }

// Cursor returns the id with which a client that has the kept events up to seq goes on. It is that of the
// event there, except in a lost epoch: then it has the name of the first epoch after the damage.
func (h Epochs) Cursor(seq uint64) ID {
	i := h.at(seq)
	for i < len(h)-1 && h[i].Lost {
		i++
	}
	return ID{Epoch: h[i].Name, Seq: seq}
}

// at returns the index of the epoch in which seq lies.
func (h Epochs) at(seq uint64) int {
	i := len(h) - 1
	for i > 0 && h[i].First > seq {
		i--
	}
	return i
}

// Open returns the history with a new epoch after high, as each start of an embedded log begins one: a
// sequence that was given and lost since the log was last written is not mistaken for the one that is
// given again. The epoch in which nothing was stored makes room for the new one, unless it names the
// cursors after damage.
func (h Epochs) Open(high uint64) Epochs {
	next := make(Epochs, 0, len(h)+1)
	for i, e := range h {
		if e.First <= high || i > 0 && h[i-1].Lost {
			next = append(next, e)
		}
	}
	return append(next, Epoch{Name: NewEpochName(), First: high + 1})
}

// Damaged returns the history of a log that was found damaged, with a new epoch after high: every
// cursor from before gets a gap.
func (h Epochs) Damaged(high uint64) Epochs {
	next := make(Epochs, 0, len(h)+1)
	for _, e := range h {
		if e.First <= high {
			e.Lost = true
			next = append(next, e)
		}
	}
	return append(next, Epoch{Name: NewEpochName(), First: high + 1})
}

// keepEpochs is how many epochs stay in a history at least: a cursor that is older than every kept event is
// told apart from one that the log never gave.
const keepEpochs = 64

// Trim returns the history without its oldest epochs, as far as they end below the low watermark and there are more
// than 64. It returns h itself when there is nothing to remove.
func (h Epochs) Trim(low uint64) Epochs {
	n := 0
	for len(h)-n > keepEpochs && h[n+1].First < low {
		n++
	}
	return h[n:]
}

// Sound returns the first sequence that no known damage has touched, 0 when there was none.
func (h Epochs) Sound() uint64 {
	for i := len(h) - 1; i > 0; i-- {
		if h[i-1].Lost {
			return h[i].First
		}
	}
	return 0
}

// Reason says why a cursor cannot be continued from without a gap.
type Reason string

const (
	Expired   Reason = "expired"   // something that the client missed is no longer kept
	Foreign   Reason = "epoch"     // the log did not give this cursor, or has lost something since
	Ahead     Reason = "ahead"     // beyond the newest event
	Malformed Reason = "malformed" // not an id
)

// Judge compares a cursor with the bounds of its site's log. The reason is empty when the log has everything
// that the client missed. Otherwise the client has the kept events up to seen, and wants those after it:
// 0 for a cursor that this log did not give.
func (b Bounds) Judge(cursor ID) (reason Reason, seen uint64) {
	for i, e := range b.Epochs {
		if e.Name != cursor.Epoch {
			continue
		}
		last, newest := b.High, i == len(b.Epochs)-1
		if !newest {
			last = min(last, max(b.Epochs[i+1].First, 1)-1)
		}
		switch {
		case cursor.Seq > last && newest:
			return Ahead, 0
		case cursor.Seq > last:
			return Foreign, 0
		case e.Lost:
			return Foreign, cursor.Seq
		case cursor.Seq+1 < b.Low:
			return Expired, cursor.Seq
		}
		return "", cursor.Seq
	}
	return Foreign, 0
}
