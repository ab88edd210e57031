package stream

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
)

var (
	// ErrUnavailable says that the log cannot be reached, or cannot store now: the disk is full, or no server leads. An Append that
	// returns it may have stored the entry. Another Append with the same Key stores it once.
	ErrUnavailable = errors.New("event log unavailable")
	// ErrNotFound says that the log has no event with this key or id.
	ErrNotFound = errors.New("no such event")
)

// Kind says what an event does to a page.
type Kind uint8

const (
	// Announce shows a signup.
	Announce Kind = iota
	// Retract withdraws an earlier signup.
	Retract
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
	Data []byte // at most MaxData bytes
	// Key makes a retry harmless: while the log remembers it, the log does not store another entry of the same site and key. Empty means no
	// key. Otherwise it is at most MaxKey bytes of printable ASCII.
	Key string
}

// MaxKey is the length in bytes that no entry's key exceeds.
const MaxKey = 160

// Check returns an error when no log can store the entry.
func (e Entry) Check() error {
	switch {
	case e.Kind > Retract:
		return fmt.Errorf("unknown kind of event %d", e.Kind)
	case len(e.Data) > MaxData:
		return fmt.Errorf("data of %d bytes; at most %d are stored", len(e.Data), MaxData)
	case len(e.Key) > MaxKey || strings.ContainsFunc(e.Key, func(r rune) bool { return r < ' ' || r > '~' }):
		return fmt.Errorf("key is not at most %d bytes of printable ASCII", MaxKey)
	}
	return nil
}

// HashKey returns what a log stores of an entry's key: the first 16 bytes of its SHA-256. A key may hold personal data, which an
// erasure has to remove.
func HashKey(key string) []byte {
	hash := sha256.Sum256([]byte(key))
	return hash[:16]
}

// Record is a kept event with its key, for a copy of a whole log.
type Record struct {
	Event
	KeyHash []byte // HashKey of its key; nil when it has none
}

// Key is a key that a log remembers. Its event may have been removed.
type Key struct {
	Hash []byte // see HashKey
	Seq  uint64 // of its event
}

// Bounds are the limits of one site's log at one moment.
type Bounds struct {
	// Low is the low watermark: retention has removed every event below it, and none at or above it. It is High+1 when nothing is kept, and 1
	// in a new log.
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

// Limits is the retention of a log: of each site it keeps the newest Events events of both kinds together, each for at most Age.
type Limits struct {
	Events int
	Age    time.Duration
}

// WithDefaults returns the limits with 1,000 events for Events below 1, and 720 h for an Age of 0 or below.
func (l Limits) WithDefaults() Limits {
	if l.Events <= 0 {
		l.Events = 1000
	}
	if l.Age <= 0 {
		l.Age = 720 * time.Hour
	}
	return l
}

// Log is the durable, ordered record of the events of every site. Each site has its own sequence, from 1, rising by one, without reuse
// inside an epoch. Retention removes from the oldest end only and moves the low watermark. An erased event leaves a gap in the sequence at
// or above the low watermark. Package logtest holds every implementation to this.
//
// ValidSite says what can name a site. Any other name is an error, and nothing is stored. All methods may be called at the same time.
// Their errors wrap ErrUnavailable, ErrNotFound or the context's error. Other errors are mistakes of the caller.
type Log interface {
	// Append stores an entry that passes Entry.Check, and returns once it would survive a crash. The same site and key again returns the first
	// event's id and duplicate = true, for an hour and for as long as the event is kept, also across a restart and when that event has been
	// erased. Of two appends of which one starts after the other has returned, the later one gets the greater sequence.
	Append(ctx context.Context, site string, e Entry) (id ID, duplicate bool, err error)

	// Read returns the kept events with a sequence after the given one, oldest first, at most max, and the bounds at that moment. Fewer than
	// max means that there were no more. It never returns events below Bounds.Low. A max below 1 returns the bounds only.
	Read(ctx context.Context, site string, after uint64, max int) ([]Event, Bounds, error)

	// Latest returns the kept signups with a sequence before the given one, newest first, at most max, and the bounds at that moment. Before
	// 0 means from the newest. A max below 1 returns the bounds only.
	Latest(ctx context.Context, site string, before uint64, max int) ([]Event, Bounds, error)

	// Follow yields the kept events after the given sequence, oldest first, then waits for more, across outages of the log. A jump in their
	// sequences means that the missing events were erased, or, when the low watermark has passed them, removed by retention. It ends with
	// ctx, without an error, or by yielding an error: one that wraps ErrUnavailable when damage was found, after which the caller starts again
	// from Bounds; any other when the log of this site cannot go on.
	Follow(ctx context.Context, site string, after uint64) iter.Seq2[Event, error]

	// Find returns the id of the event that was appended with the key, whether it is kept or not, while the log remembers the key. Afterwards it
	// returns ErrNotFound.
	Find(ctx context.Context, site, key string) (ID, error)

	// Erase removes an event. When it returns nil, the log's files do not hold the event's bytes. It is not an error when there is no
	// such event.
	Erase(ctx context.Context, site string, seq uint64) error

	// Bounds returns the bounds of a site's log. They reflect every Append and Erase of any process that returned before the call.
	Bounds(ctx context.Context, site string) (Bounds, error)

	// Now returns the time by the log's clock, which stamps events. It does not block.
	Now() time.Time

	// Healthy returns nil when an Append would be expected to succeed now, or why not, in words for the operator. It does not block.
	Healthy() error
}

// ValidSite reports whether name can name a site: 1 to 63 of a-z, 0-9 and -.
func ValidSite(name string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-"
	return len(name) >= 1 && len(name) <= 63 && strings.Trim(name, allowed) == ""
}

// CheckSite returns an error that says what is wrong with a name that cannot name a site.
func CheckSite(name string) error {
	if !ValidSite(name) {
		return fmt.Errorf("site name %q is not 1 to 63 characters of a-z, 0-9 and -", name)
	}
	return nil
}
