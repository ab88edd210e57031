// Package ssetest reads event streams in tests as a browser does: it is written from the WHATWG HTML standard, section 9.2.6
// ("interpreting an event stream"), and imports nothing of this project.
package ssetest

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"time"
)

// Heartbeat is the Kind of what Next returns for a comment without text, which the service sends on idle streams. No event
// has that kind.
const Heartbeat = ":"

// Event is what a page's listener gets.
type Event struct {
	Kind  string // "message" when the frame has no event field
	Data  string
	ID    string // the last event id when the event was dispatched
	Frame string // the lines of the frame as they came, with comments and the blank line at the end; of a CR LF, only the CR
	Conn  int    // left to the caller, who may read several connections; 0
	At    time.Time
}

// Field returns the text of a member of the event's JSON data, without unescaping it; "" when there is none.
func (e Event) Field(name string) string { return Field(e.Data, name) }

// Field is Event.Field for any line of JSON.
func Field(line, name string) string {
	_, rest, found := strings.Cut(line, `"`+name+`":"`)
	if !found {
		return ""
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// Reader interprets one connection after the other. What is pending when a connection ends is dropped.
type Reader struct {
	LastID  string        // as the next request would send it
	Retry   time.Duration // the last one that the stream asked for; 0 when it never did
	Fields  []string      // the names of all fields so far, for tests of what a stream may hold
	InFrame bool          // a frame has begun and not ended

	lines          *bufio.Reader
	afterCR        bool // the last byte was a CR, which ended a line
	frame          strings.Builder
	data, kind, id string
}

// NewReader returns a reader of one connection, whose request had the last event id given.
func NewReader(stream io.Reader, lastID string) *Reader {
	r := &Reader{LastID: lastID}
	r.Reset(stream)
	return r
}

// Reset goes on with another connection. LastID stays, as it does for a browser that reconnects.
func (r *Reader) Reset(stream io.Reader) {
	r.lines = bufio.NewReader(stream)
	if bom, _ := r.lines.Peek(3); string(bom) == "\ufeff" {
		r.lines.Discard(3)
	}
	r.frame.Reset()
	r.data, r.kind, r.id, r.InFrame, r.afterCR = "", "", r.LastID, false, false
}

// Next returns the next event or heartbeat. The error is that of the stream.
func (r *Reader) Next() (Event, error) {
	for {
		line, err := r.line()
		if err != nil {
			return Event{}, err
		}
		if line == ":" {
			return Event{Kind: Heartbeat, At: time.Now()}, nil
		}
		r.InFrame = line != ""
		if line != "" {
			r.field(line)
		} else if e, ok := r.dispatch(); ok {
			return e, nil
		}
	}
}

// All returns the events up to the end of the stream, without heartbeats.
func (r *Reader) All() (events []Event) {
	for {
		e, err := r.Next()
		if err != nil {
			return events
		}
		if e.Kind != Heartbeat {
			events = append(events, e)
		}
	}
}

// line returns the next whole line without its end, which is LF, CR, or CR and LF. It does not wait for the LF after a CR:
// the next call passes over that.
func (r *Reader) line() (string, error) {
	var line strings.Builder
	for {
		b, err := r.lines.ReadByte()
		if err != nil {
			return "", err
		}
		afterCR := r.afterCR
		if r.afterCR = b == '\r'; afterCR && b == '\n' {
			continue
		}
		r.frame.WriteByte(b)
		if b == '\r' || b == '\n' {
			return string([]rune(line.String())), nil // each invalid byte becomes U+FFFD
		}
		line.WriteByte(b)
	}
}

func (r *Reader) field(line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	if name != "" {
		r.Fields = append(r.Fields, name)
	}
	switch name {
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
			r.Retry = time.Duration(n) * time.Millisecond
		}
	}
}

// dispatch ends a frame. There is an event if it had data.
func (r *Reader) dispatch() (e Event, ok bool) {
	r.LastID = r.id
	e = Event{Kind: r.kind, Data: strings.TrimSuffix(r.data, "\n"), ID: r.id, Frame: r.frame.String(), At: time.Now()}
	if e.Kind == "" {
		e.Kind = "message"
	}
	ok = r.data != ""
	r.data, r.kind = "", ""
	r.frame.Reset()
	return e, ok
}
