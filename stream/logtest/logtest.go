// Package logtest holds every implementation of stream.Log to its contract.
package logtest

import (
	"context"
	"testing"
	"time"

	"proofstream/stream"
)

// Fixture is a log under test, empty at first.
type Fixture struct {
	Log stream.Log
	// Reopen closes the log in good order and opens it again, as a restart of the service does. Nil
	// when the implementation cannot.
	Reopen func() stream.Log
}

// Run runs all tests, each on a log of its own that open makes and t's cleanup closes.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	tests := []struct {
		name string
		test func(*testing.T, Fixture)
	}{
		{"a new log is empty and has one epoch", emptyLog},
		{"an event comes back as it was appended", roundTrip},
		{"odd bytes come back as they were", oddBytes},
		{"sites that are no names are refused", oddSites},
		{"sequences rise in the order of appends", risingSequences},
		{"a key is remembered per site", keys},
		{"a key that differs in a space is another key", spacesInKeys},
		{"concurrent appends with one key make one event", racingKeys},
		{"the key of an erased event is remembered", keyOfErased},
		{"read returns one site in order, at most max", readPages},
		{"read equals a model under random appends and erasures", readModel},
		{"an erased event is gone for get, read, follow and state", erase},
		{"follow yields all sites in order, then what comes", followLive},
		{"follow begins after the given sequence", followAfter},
		{"follow ends with its context and with its loop", followEnds},
		{"followers and racing writers agree on one order", followRace},
		{"pending counts down to zero", pending},
		{"state counts what is kept", state},
		{"a context that has ended stops an append", endedContext},
		{"a restart keeps events, sequences and cursors", restart},
		{"a restart keeps keys while their event is kept", restartKeys},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

// within bounds everything that a test waits for.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func mustAppend(t *testing.T, l stream.Log, d stream.Draft) uint64 {
	t.Helper()
	seq, duplicate, err := l.Append(within(t), d)
	if err != nil || duplicate {
		t.Fatalf("append %q: duplicate %v, err %v", d.Data, duplicate, err)
	}
	return seq
}

// all reads everything kept of a site, in pages of 7.
func all(t *testing.T, l stream.Log, site string) []stream.Event {
	t.Helper()
	var events []stream.Event
	after := uint64(0)
	for {
		page, err := l.Read(within(t), site, after, 7)
		if err != nil {
			t.Fatalf("read %s after %d: %v", site, after, err)
		}
		events = append(events, page...)
		if len(page) < 7 {
			return events
		}
		after = page[6].Seq
	}
}

// sequences returns those of events.
func sequences(events []stream.Event) []uint64 {
	seqs := make([]uint64, 0, len(events))
	for _, e := range events {
		seqs = append(seqs, e.Seq)
	}
	return seqs
}
