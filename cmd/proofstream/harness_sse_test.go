package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// event is what a page's listener would get.
type event struct {
	kind, data string
	id         string // the last id when it was dispatched
	conn       int    // on which connection of its source, from 0
	at         time.Time
}

// field returns the value of a member of the event's data, as it stands between quotes.
func (e event) field(name string) string { return jsonField(e.data, name) }

// jsonField is field for any line of JSON.
func jsonField(line, name string) string {
	_, rest, found := strings.Cut(line, `"`+name+`":"`)
	if !found {
		return ""
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// heartbeat is the kind of what eventReader returns for the comment of an idle stream; no event has it.
const heartbeat = ":"

// eventReader reads an event stream as the WHATWG HTML standard says in section 9.2.6, and from nothing of ours. What is
// pending when a stream ends is dropped with it.
type eventReader struct {
	lines   *bufio.Reader
	lastID  string
	retry   time.Duration // asked for; 0 when never
	inFrame bool          // a frame has begun and not ended

	data, kind, id string
}

func newEventReader(stream io.Reader, lastID string) *eventReader {
	return &eventReader{lines: bufio.NewReader(stream), lastID: lastID, id: lastID}
}

// next returns the next event or heartbeat; the error is that of the stream.
func (r *eventReader) next() (event, error) {
	for {
		line, err := r.lines.ReadString('\n')
		if err != nil {
			return event{}, err
		}
		if line == ":\n" {
			return event{kind: heartbeat, at: time.Now()}, nil
		}
		r.inFrame = line != "\n"
		if e, ok := r.line(strings.TrimSuffix(line, "\n")); ok {
			return e, nil
		}
	}
}

// line takes one line, without its end, and returns the event that it dispatches, if any.
func (r *eventReader) line(line string) (e event, dispatched bool) {
	if line == "" {
		r.lastID = r.id
		e = event{kind: r.kind, data: strings.TrimSuffix(r.data, "\n"), id: r.lastID, at: time.Now()}
		dispatched = r.data != ""
		if e.kind == "" {
			e.kind = "message"
		}
		r.data, r.kind = "", ""
		return e, dispatched
	}
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "event":
		r.kind = value
	case "data":
		r.data += value + "\n"
	case "id":
		if !strings.Contains(value, "\x00") {
			r.id = value
		}
	case "retry":
		if n, err := strconv.Atoi(value); err == nil && strings.Trim(value, "0123456789") == "" {
			r.retry = time.Duration(n) * time.Millisecond
		}
	}
	return event{}, false
}

func ofKind(all []event, kind string) (events []event) {
	for _, e := range all {
		if e.kind == kind {
			events = append(events, e)
		}
	}
	return events
}

// ids returns the ids of events.
func ids(events []event) (ids []string) {
	for _, e := range events {
		ids = append(ids, e.id)
	}
	return ids
}

// sequence returns the sequence in an id.
func sequence(id string) int {
	_, digits, _ := strings.Cut(id, "-")
	n, _ := strconv.Atoi(digits)
	return n
}

// sortIDs sorts ids by their sequences.
func sortIDs(ids []string) {
	slices.SortFunc(ids, func(a, b string) int { return sequence(a) - sequence(b) })
}

// difference describes the first difference between what came and what was to come, "" if there is none.
func difference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("got %d events, want %d; %s is missing", len(got), len(want), want[i])
		case i >= len(want):
			return fmt.Sprintf("got %d events, want %d; %s is too much", len(got), len(want), got[i])
		case got[i] != want[i]:
			return fmt.Sprintf("event %d is %s, want %s", i, got[i], want[i])
		}
	}
	return ""
}
