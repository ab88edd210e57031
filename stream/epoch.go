package stream

import "crypto/rand"

// Epoch is a stretch of a site's log in which no sequence was given twice.
type Epoch struct {
	Name  string `json:"name"`  // [a-z0-9]{1,16}
	First uint64 `json:"first"` // its first sequence; its last one is before First of the next epoch
	// Lost is true for an epoch from before damage to the log. Its kept events keep their ids, but events after any cursor in it may be missing.
	Lost bool `json:"lost,omitempty"`
}

// Epochs is the epoch history of a site's log, oldest first, by rising First. It is never empty. A new log has two epochs: an origin with
// First 0, which names the cursor of a subscriber that has seen nothing, and the first one that names events.
type Epochs []Epoch

// NewEpochs returns the epoch history of a new log whose first sequence will be first, at least 1.
func NewEpochs(first uint64) Epochs {
	return Epochs{{Name: NewEpochName(), First: first - 1}, {Name: NewEpochName(), First: first}}
}

// NewEpochName returns six random characters of [a-z0-9]. Two epochs of a site have the same name with a probability of about one in two
// billion.
func NewEpochName() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	random := make([]byte, 6)
	rand.Read(random)
	for i := range random {
		random[i] = alphabet[int(random[i])%len(alphabet)]
	}
	return string(random)
}

// ID returns the id of the event at seq. An event from before the oldest epoch of the history has the name of that epoch.
func (h Epochs) ID(seq uint64) ID { return ID{Epoch: h[h.at(seq)].Name, Seq: seq} }

// Cursor returns the cursor of a client that has the kept events up to seq. It is the id of the event at seq, except in a lost epoch: then it
// has the name of the first epoch after the damage.
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

// Open returns the history with a new epoch after the high watermark. Each start of an embedded log opens one: then an event that was lost
// after the last write to disk is not mistaken for the event that gets its sequence again. Epochs without an event are dropped, except
// the one that names the cursors after damage.
func (h Epochs) Open(high uint64) Epochs {
	next := make(Epochs, 0, len(h)+1)
	for i, e := range h {
		if e.First <= high || i > 0 && h[i-1].Lost {
			next = append(next, e)
		}
	}
	return append(next, Epoch{Name: NewEpochName(), First: high + 1})
}

// Damaged returns the history of a log in which damage was found, with a new epoch after the high watermark. All earlier epochs are lost, so
// that every earlier cursor gets a gap.
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

// keepEpochs is how many epochs Trim leaves at least. With them Check tells a cursor that is older than every kept event from one that the
// log never gave.
const keepEpochs = 64

// Trim returns the history without those of its oldest epochs that end below the low watermark. At least 64 epochs stay, or all when there
// are fewer.
func (h Epochs) Trim(low uint64) Epochs {
	n := 0
	for len(h)-n > keepEpochs && h[n+1].First < low {
		n++
	}
	return h[n:]
}

// Sound returns the first sequence after the last known damage, 0 when there was none.
func (h Epochs) Sound() uint64 {
	for i := len(h) - 1; i > 0; i-- {
		if h[i-1].Lost {
			return h[i].First
		}
	}
	return 0
}

// Reason says why a client gets a gap.
type Reason string

const (
	// Expired means that retention has removed an event that the client missed.
	Expired Reason = "expired"
	// EpochChanged means that the log did not give the cursor (another or a restored log), or has lost an event since (damage).
	EpochChanged Reason = "epoch"
	// Ahead means that the cursor is beyond the newest event.
	Ahead Reason = "ahead"
	// Malformed means that the cursor is not an id.
	Malformed Reason = "malformed"
)

// Check compares a cursor with the epoch history and the watermarks. The reason is empty when the log has every event that the client missed.
// Otherwise the client gets a gap. seen is the sequence up to which the client has the kept events: 0 for a cursor that this log did
// not give.
func (b Bounds) Check(cursor ID) (reason Reason, seen uint64) {
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
			return EpochChanged, 0
		case e.Lost:
			return EpochChanged, cursor.Seq
		case cursor.Seq+1 < b.Low:
			return Expired, cursor.Seq
		}
		return "", cursor.Seq
	}
	return EpochChanged, 0
}
