package api_test

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// event is what a page's listener would get, with its frame as it came.
type event struct {
	kind, data, id string
	frame          string
}

// reader reads an event stream as the WHATWG HTML standard says in section 9.2.6. It is written from that, and
// from nothing of ours.
type reader struct {
	lastID, id, kind, data string
	retry                  int // in milliseconds
	fields                 []string
	frame                  strings.Builder
}

func (r *reader) line(line string) (e event, dispatched bool) {
	r.frame.WriteString(line)
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if line == "" {
		r.lastID = r.id
		e = event{kind: r.kind, data: strings.TrimSuffix(r.data, "\n"), id: r.lastID, frame: r.frame.String()}
		dispatched = r.data != ""
		r.data, r.kind = "", ""
		r.frame.Reset()
		return e, dispatched
	}
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	r.fields = append(r.fields, field)
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
		if n, err := strconv.Atoi(value); err == nil {
			r.retry = n
		}
	}
	return event{}, false
}

// read returns the next event of a stream. The error is that of reading, at the stream's end for example.
func (r *reader) read(o *opened) (event, error) {
	for {
		line, err := o.lines.ReadString('\n')
		if err != nil {
			return event{}, err
		}
		if e, ok := r.line(line); ok {
			return e, nil
		}
	}
}

// next returns the stream's next n events.
func (o *opened) next(t testing.TB, r *reader, n int) (events []event) {
	t.Helper()
	for range n {
		e, err := r.read(o)
		if err != nil {
			t.Fatalf("after %d of %d events: %v", len(events), n, err)
		}
		events = append(events, e)
	}
	return events
}

// until waits for a fact.
func until(t testing.TB, what string, fact func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !fact(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
