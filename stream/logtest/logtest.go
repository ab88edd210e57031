// Package logtest holds every implementation of stream.Log to the contract of that interface.
package logtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/waitfor"
)

// Options say what log a test needs.
type Options struct {
	// Limits is the retention of the log. Run never leaves a field zero: where a test does not care, 10,000 events and 720 h.
	Limits stream.Limits
}

func (o Options) withDefaults() Options {
	if o.Limits.Events == 0 {
		o.Limits.Events = 10_000
	}
	if o.Limits.Age == 0 {
		o.Limits.Age = 720 * time.Hour
	}
	return o
}

// Fixture is a log under test: empty, open and, if it has a Run method, running.
type Fixture struct {
	Log stream.Log
	// Reopen closes the log and opens it again, as a restart of the service does, and returns what Log is from then on.
	Reopen func() stream.Log
}

// Run runs all tests, each on a log of its own that open makes and t's cleanup closes.
func Run(t *testing.T, open func(t *testing.T, o Options) Fixture) {
	small := Options{Limits: stream.Limits{Events: 10}}
	short := Options{Limits: stream.Limits{Age: time.Second}}
	tests := []struct {
		name    string
		options Options
		test    func(*testing.T, Fixture)
	}{
		{"a new log is empty and has an origin", Options{}, emptyLog},
		{"an event is read as it was appended", Options{}, roundTrip},
		{"odd bytes are read as they were appended", Options{}, oddBytes},
		{"what is not a site name is refused", Options{}, oddSites},
		{"each site counts its sequences from 1", Options{}, sequencesBySite},
		{"an ended context stops an append", Options{}, endedContext},
		{"a caller that leaves leaves one event or none", Options{}, impatientCallers},
		{"bounds reflect what has returned", Options{}, freshBounds},
		{"bounds report the limits in force", Options{Limits: stream.Limits{Events: 77, Age: 5 * time.Hour}}, limits},
		{"a key is remembered per site", Options{}, keys},
		{"keys that differ in a space are two", Options{}, similarKeys},
		{"concurrent appends with one key make one event", Options{}, racingKeys},
		{"the key of an erased event is remembered", Options{}, keyOfErased},
		{"read returns pages in order", Options{}, readPages},
		{"latest returns signups, newest first", Options{}, latest},
		{"the log equals a model", Options{}, model},
		{"the log equals a model under retention", small, model},
		{"an erased event is gone from everywhere", Options{}, erase},
		{"follow yields what is kept, then what comes", Options{}, followLive},
		{"follow ends with its context and with its loop", Options{}, followEnds},
		{"followers and racing writers agree on one order", Options{}, followRace},
		{"a follower sees that retention has overrun it", small, followOverrun},
		{"retention by count moves the low watermark", small, retainCount},
		{"retention by age reaches an idle log", short, retainAge},
		{"a restart changes nothing that is kept", Options{}, restart},
		{"a restart keeps keys, also of erased events", Options{}, restartKeys},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t, tt.options.withDefaults())) })
	}
}

// deadline returns a context for one call, which ends after waitfor.Patience.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), waitfor.Patience)
	t.Cleanup(cancel)
	return ctx
}

func entry(text string) stream.Entry {
	return stream.Entry{Data: fmt.Appendf(nil, `{"user_name":%q}`, text)}
}

func mustAppend(t *testing.T, l stream.Log, site string, e stream.Entry) stream.ID {
	t.Helper()
	id, duplicate, err := l.Append(deadline(t), site, e)
	if err != nil || duplicate {
		t.Fatalf("append %q to %s: duplicate %v, %v", e.Data, site, duplicate, err)
	}
	return id
}

// fill appends n signups.
func fill(t *testing.T, l stream.Log, site string, n int) (ids []stream.ID) {
	t.Helper()
	for i := range n {
		ids = append(ids, mustAppend(t, l, site, entry(fmt.Sprint(i))))
	}
	return ids
}

func mustErase(t *testing.T, l stream.Log, site string, seq uint64) {
	t.Helper()
	if err := l.Erase(deadline(t), site, seq); err != nil {
		t.Fatalf("erase %d of %s: %v", seq, site, err)
	}
}

func bounds(t *testing.T, l stream.Log, site string) stream.Bounds {
	t.Helper()
	b, err := l.Bounds(deadline(t), site)
	if err != nil {
		t.Fatalf("bounds of %s: %v", site, err)
	}
	return b
}

// all reads everything kept of a site, in pages of 7.
func all(t *testing.T, l stream.Log, site string) (events []stream.Event) {
	t.Helper()
	for after := uint64(0); ; {
		page, _, err := l.Read(deadline(t), site, after, 7)
		if err != nil {
			t.Fatalf("read %s after %d: %v", site, after, err)
		}
		if events = append(events, page...); len(page) < 7 {
			return events
		}
		after = page[6].ID.Seq
	}
}

func sequences(events []stream.Event) []uint64 {
	seqs := make([]uint64, 0, len(events))
	for _, e := range events {
		seqs = append(seqs, e.ID.Seq)
	}
	return seqs
}

func wantSequences(t *testing.T, what string, got, want []uint64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func wantMistake(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || errors.Is(err, stream.ErrUnavailable) || errors.Is(err, stream.ErrNotFound) {
		t.Errorf("%s: %v; want an error that says what the caller did wrong", what, err)
	}
}
