package sqlitelog

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"

	"proofstream/stream"
)

// never is a time, in Unix milliseconds, that does not come.
const never = math.MaxInt64

// site is the state of one site's log after a commit. A transaction changes a copy.
type site struct {
	siteRow
	history    stream.Epochs  // the value of epochs
	newHistory bool           // history was set since it was stored
	oldest     int64          // time of the oldest kept event, Unix milliseconds
	sweep      int64          // when a key of a removed event may be removed, Unix milliseconds; never when there is none
	erased     []keyOf        // keys of erased events that are remembered
	appended   []stream.Event // by this commit, after the last event that it erased; shared, so read only
	moved      chan struct{}  // closed when a newer state replaces this one
}

// keyOf is the row id and the time, in Unix milliseconds, of a key.
type keyOf struct{ id, at int64 }

// bounds returns the bounds of the site with the given limits.
func (s *site) bounds(limits stream.Limits) stream.Bounds {
	return stream.Bounds{Low: s.low, High: s.high, Signups: int(s.signups), Epochs: s.history, Limits: limits}
}

// due returns when retention next removes something of the site, in Unix milliseconds, if nothing is appended.
func (s *site) due(limits stream.Limits) int64 {
	if s.events == 0 {
		return s.sweep
	}
	return min(s.sweep, s.oldest+limits.Age.Milliseconds())
}

// setHistory sets the epoch history.
func (s *site) setHistory(h stream.Epochs) error {
	text, err := json.Marshal(h)
	s.history, s.epochs, s.newHistory = h, string(text), true
	return err
}

// first is below every row id of the site, and last is the greatest that it can have.
func (r *siteRow) first() int64 { return rowID(r.id, 0) }
func (r *siteRow) last() int64  { return rowID(r.id, maxSeq) }

// siteColumns are the columns that scan reads.
const siteColumns = "id, name, low, high, events, signups, epochs, tx, sum"

// scan reads a row with siteColumns. The error wraps errCorrupt when the row does not fit its sum.
func (r *siteRow) scan(row []driver.Value) error {
	var sum int64
	if err := scan(row, &r.id, &r.name, &r.low, &r.high, &r.events, &r.signups, &r.epochs, &r.tx, &sum); err != nil {
		return err
	}
	if sum != r.sum() {
		return fmt.Errorf("%w: the record of site %q does not fit its sum", errCorrupt, r.name)
	}
	return nil
}

// parseEpochs decodes the column epochs. The error wraps errCorrupt.
func parseEpochs(text string) (h stream.Epochs, err error) {
	if err := json.Unmarshal([]byte(text), &h); err != nil || len(h) == 0 {
		return nil, fmt.Errorf("%w: epoch history %.80q", errCorrupt, text)
	}
	return h, nil
}
