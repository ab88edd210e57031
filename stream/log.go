package stream

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Errors of a Log on which its users decide.
var (
	// ErrUnavailable: the log cannot be reached or cannot store now (disk full, no leader). The
	// outcome of an Append that ends so may be unknown; the same Key again settles it.
	ErrUnavailable = errors.New("log unavailable")
	// ErrNotFound: no event is kept at this place (never written, expired or erased).
	ErrNotFound = errors.New("no such event")
)

// Kind tells what an event does to a page.
type Kind uint8

const (
	Announce Kind = iota // a signup to show
	Retract              // an earlier signup to withdraw
)

// Event is what the log holds and subscribers get.
type Event struct {
	Seq  uint64    // place in the log; only order matters, numbers have holes
	Site string    // whose visitors see it
	Kind Kind      //
	Time time.Time // when the log stored it
	Data []byte    // one line of JSON, at most MaxData bytes
	// Pending counts the events known to follow this one in the log when it was read by Follow:
	// 0 means that the reader has caught up.
	Pending uint64
}

// Draft is an event on its way into the log.
type Draft struct {
	Site string
	Kind Kind
	Data []byte
	// Key makes a retry harmless: while it is remembered (see Log.Append), a draft of the same site
	// and key is not stored again. Empty means no key. Any printable ASCII, at most 160 bytes.
	Key string
}

// State is a log at one moment.
type State struct {
	First  uint64 // sequence of the oldest kept event, or Last+1 when none is
	Last   uint64 // newest sequence ever given, kept or not; 0 for a new log
	Events uint64 // events kept, of all sites and kinds
}

// Log is a durable, ordered record of events of all sites. Package logtest holds every
// implementation to this. All methods may be called at the same time.
type Log interface {
	// Append stores a draft and returns its sequence once the event would survive a crash as the
	// durability configured promises. The same site and key again, within an hour (or the
	// retention, if that is shorter; across a restart while the event is kept), returns the first
	// one's sequence and duplicate = true, also when that event has been erased. Two appends, the
	// second begun after the first returned, have rising sequences. Errors wrap ErrUnavailable or
	// the context's error.
	Append(ctx context.Context, d Draft) (seq uint64, duplicate bool, err error)

	// Read returns at most max kept events of one site with a sequence after the given one,
	// oldest first, both kinds. Fewer than max means that no more were known to this node at that
	// moment. It holds no resources between calls.
	Read(ctx context.Context, site string, after uint64, max int) ([]Event, error)

	// Get returns the event kept at seq, or ErrNotFound.
	Get(ctx context.Context, seq uint64) (Event, error)

	// Erase removes the event at seq for good, its bytes included. It is not an error when there
	// is none.
	Erase(ctx context.Context, seq uint64) error

	// Follow yields the kept events of all sites after the given sequence, oldest first, then
	// waits for more, across outages of the log. It ends with ctx, or by yielding the error after
	// which this log cannot go on.
	Follow(ctx context.Context, after uint64) iter.Seq2[Event, error]

	// State asks the log for its bounds.
	State(ctx context.Context) (State, error)

	// Chain returns the epochs of the log, never empty. The caller must not change it.
	Chain() Chain

	// Healthy returns nil when an Append would now be expected to succeed, or why not, in words
	// for the operator.
	Healthy() error
}
