package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"proofstream/stream/ssetest"
)

// OfKind returns the events of one kind, in order.
func OfKind(all []ssetest.Event, kind string) (events []ssetest.Event) {
	for _, e := range all {
		if e.Kind == kind {
			events = append(events, e)
		}
	}
	return events
}

// IDs returns the ids of the events, in order.
func IDs(events []ssetest.Event) (ids []string) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

// Sequence returns the sequence in an id, 0 when the id has none.
func Sequence(id string) int {
	_, digits, _ := strings.Cut(id, "-")
	n, _ := strconv.Atoi(digits)
	return n
}

// sortIDs sorts ids by their sequences.
func sortIDs(ids []string) {
	slices.SortFunc(ids, func(a, b string) int { return Sequence(a) - Sequence(b) })
}

// Difference describes the first difference between got and want, "" if there is none.
func Difference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("got %d events, want %d; %s is missing", len(got), len(want), want[i])
		case i >= len(want):
			return fmt.Sprintf("got %d events, want %d; %s is unexpected", len(got), len(want), got[i])
		case got[i] != want[i]:
			return fmt.Sprintf("event %d is %s, want %s", i, got[i], want[i])
		}
	}
	return ""
}
