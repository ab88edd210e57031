package stream

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Errors of a Log on which its users decide.
var (
	// ErrUnavailable: the log cannot be reached, or cannot store now (disk full, no leader). The
	// outcome of an Append that ends so may be unknown; the same Key again settles it.
	ErrUnavailable = errors.New("event log unavailable")
	// ErrNotFound: the log has nothing under this key.
	ErrNotFound = errors.New("no such event")
)

// Kind says what an event does to a page.
type Kind uint8

const (
	Announce Kind = iota // shows a signup
	Retract              // withdraws an earlier signup
)

// Event is what the log holds and subscribers get.
type Event struct {
	ID   ID
	Kind Kind
	Time time.Time // when the log stored it, by the log's clock, to the millisecond
	Data []byte    // one line of JSON, an object, at most MaxData bytes; without the time
}

// Entry is an event on its way into the log.
type Entry struct {
	Kind Kind
	Data []byte
	// Key makes a retry harmless: while the log remembers it, an entry of the same site and key is not
	// stored again. Empty means no key. Otherwise at most 160 bytes of printable ASCII.
	Key string
}

// Bounds are the limits of one site's log at one moment.
type Bounds struct {
	// Low is the low watermark: retention has removed every sequence below it, and none at or above.
	// It is High+1 when nothing is kept, and 1 in a new log.
	Low uint64
	// High is the high watermark: the newest sequence ever given, kept or not; 0 in a new log.
	High uint64
	// Signups counts the kept events of kind Announce.
	Signups int
	// Epochs is the epoch history of the site, never empty. It must not be changed.
	Epochs Epochs
	// Limits is the retention in force.
	Limits Limits
}

// Limits is what a log's retention keeps of each site: the newest Events events of both kinds
// together, each for at most Age.
type Limits struct {
	Events int
	Age    time.Duration
}

// Log is the durable, ordered record of the events of every site. Each site has its own sequence,
// from 1, rising by one, without reuse inside an epoch. Retention removes from the oldest end only
// and moves the low watermark; an erased event leaves a hole at or above it. Package logtest holds
// every implementation to this.
//
// A site is named as ValidSite says; any other name is an error, and nothing is stored. All
// methods may be called at the same time. Their errors wrap ErrUnavailable, ErrNotFound or the
// context's error; others are mistakes of the caller.
type Log interface {
	// Append returns once the entry would survive a crash. The same site and key again, for an hour
	// and for as long as the event is kept, returns the first one's id and duplicate = true, also
	// across a restart and when that event has been erased. Of two appends, the second begun after the
	// first returned, the second has the greater sequence.
	Append(ctx context.Context, site string, e Entry) (id ID, duplicate bool, err error)

	// Read returns at most max kept events with a sequence after the given one, oldest first, and the
	// bounds at that moment. Fewer than max means that there were no more. Events below Low are
	// never returned.
	Read(ctx context.Context, site string, after uint64, max int) ([]Event, Bounds, error)

	// Latest returns at most max kept signups with a sequence before the given one, newest first, and
	// the bounds at that moment. Before 0 means from the newest.
	Latest(ctx context.Context, site string, before uint64, max int) ([]Event, Bounds, error)

	// Follow yields the kept events after the given sequence, oldest first, then waits for more,
	// across outages of the log. A jump in their sequences means that the missing ones were erased, or,
	// when the low watermark has passed them, removed by retention. It ends with ctx, without an
	// error, or by yielding an error: one that wraps ErrUnavailable when damage was found, after which
	// the follower begins again from Bounds; any other when this site's log cannot go on.
	Follow(ctx context.Context, site string, after uint64) iter.Seq2[Event, error]

	// Find returns the id of the event that was appended with the key, kept or not, while the key is
	// remembered; afterwards ErrNotFound.
	Find(ctx context.Context, site, key string) (ID, error)

	// Erase removes the event for good: when it returns nil, the log's files do not hold its bytes. It is
	// not an error when there is no such event.
	Erase(ctx context.Context, site string, seq uint64) error

	// Bounds returns the bounds of a site's log, which reflect every Append and Erase that returned
	// before the call, by whatever process.
	Bounds(ctx context.Context, site string) (Bounds, error)

	// Now returns the time by the log's clock, the one that stamps events. It does not block.
	Now() time.Time

	// Healthy returns nil when an Append would now be expected to succeed, or why not, in words
	// for the operator. It does not block.
	Healthy() error
}

// ValidSite says whether name can name a site: 1 to 63 of a-z, 0-9 and -.
func ValidSite(name string) bool {
	if len(name) < 1 || len(name) > 63 {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
