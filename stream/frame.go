package stream

import (
	"bytes"
	"strconv"
	"time"
)

// MaxFrame is the size in bytes that no frame exceeds.
const MaxFrame = 8 << 10

// MaxData is the size in bytes that no event's data exceeds. With it, a frame of any kind and id has at most MaxFrame bytes.
const MaxData = MaxFrame - len(retractHead+timeMember+idLine+blankLine) - len("0123456789abcdef-18446744073709551615")

const (
	// announceHead is what the frame of a signup starts with.
	announceHead = "event: signup\ndata: "
	// retractHead is what the frame of a retraction starts with.
	retractHead = "event: retract\ndata: "
	// timeMember is the layout of the last member of a signup's data.
	timeMember = `,"at":"2006-01-02T15:04:05.000Z"`
	// idLine is the end of the data line and the start of the id line.
	idLine = "\nid: "
	// blankLine ends the id line and the frame.
	blankLine = "\n\n"
)

// Heartbeat is the heartbeat of the event stream: a comment line. A blank line after it would be an empty event to some clients.
const Heartbeat = ":\n"

// Frame is the encoded form of an event in the event stream. All subscribers share it, and it never changes.
type Frame struct {
	seq   uint64
	kind  Kind
	time  int64 // Unix milliseconds
	bytes []byte
}

// NewFrame encodes an event. A signup gets its time as the last member of its data. Line ends in the data, which JSON allows only between
// tokens, become spaces: no data can start a line of the event stream (WHATWG HTML, section 9.2.6).
func NewFrame(ev Event) *Frame {
	head := announceHead
	if ev.Kind == Retract {
		head = retractHead
	}
	b := make([]byte, 0, len(head)+len(ev.Data)+len(timeMember)+len(idLine)+len(ev.ID.Epoch)+1+digits(ev.ID.Seq)+len(blankLine))
	b = append(b, head...)
	b = append(b, ev.Data...)
	if line := b[len(head):]; bytes.ContainsAny(line, "\r\n") {
		for i, c := range line {
			if c == '\r' || c == '\n' {
				line[i] = ' '
			}
		}
	}
	if object := bytes.TrimRight(b, " "); ev.Kind == Announce && bytes.HasSuffix(object, []byte("}")) {
		b = object[:len(object)-1]
		member := timeMember
		if bytes.HasSuffix(bytes.TrimRight(b, " \t"), []byte("{")) {
			member = member[len(","):]
		}
		b = ev.Time.UTC().AppendFormat(b, member+"}")
	}
	return &Frame{seq: ev.ID.Seq, kind: ev.Kind, time: ev.Time.UnixMilli(), bytes: appendID(b, ev.ID)}
}

// HeartbeatFrame returns the heartbeat as a frame of sequence 0.
func HeartbeatFrame() *Frame { return &Frame{bytes: []byte(Heartbeat)} }

// Bytes returns the whole frame. The caller must not change it.
func (f *Frame) Bytes() []byte { return f.bytes }

// Seq returns the event's sequence, 0 for a heartbeat.
func (f *Frame) Seq() uint64 { return f.seq }

// Kind returns what the event does to a page.
func (f *Frame) Kind() Kind { return f.kind }

// Time returns when the log stored the event, to the millisecond.
func (f *Frame) Time() time.Time { return time.UnixMilli(f.time) }

// Data returns the event's JSON. The caller must not change it.
func (f *Frame) Data() []byte {
	head := len(announceHead)
	if f.kind == Retract {
		head = len(retractHead)
	}
	return f.bytes[head:bytes.LastIndex(f.bytes, []byte(idLine))]
}

// ID returns the event's id as text. The caller must not change it.
func (f *Frame) ID() []byte {
	from := bytes.LastIndex(f.bytes, []byte(idLine)) + len(idLine)
	return f.bytes[from : len(f.bytes)-len(blankLine)]
}

// RetractData returns the data of the event that withdraws the signup with an id.
func RetractData(id ID) []byte {
	b := append(make([]byte, 0, 48), `{"id":"`...)
	b = append(b, id.Epoch...)
	b = strconv.AppendUint(append(b, '-'), id.Seq, 10)
	return append(b, `"}`...)
}

// Replay says what a subscriber gets of the past.
type Replay string

const (
	// Fresh means that the subscriber gave no cursor.
	Fresh Replay = "fresh"
	// Complete means that every event after the cursor follows, once, in order.
	Complete Replay = "complete"
	// Gap means that events after the cursor may be missing. A Reason says why.
	Gap Replay = "gap"
)

// ReadyFrame returns the frame that opens a stream, at most 192 bytes. The id is the subscriber's own cursor, never ahead of what it has been
// sent. why is empty unless the replay is Gap. now is the time by the log's clock. retry is the reconnection delay of the browser, to the
// millisecond; below 0 it is 0.
func ReadyFrame(id ID, replay Replay, why Reason, now time.Time, retry time.Duration) []byte {
	b := appendRetry(append(make([]byte, 0, 192), "event: ready\nretry: "...), retry)
	b = append(b, "data: {\"replay\":\""...)
	b = append(b, replay...)
	if why != "" {
		b = append(b, `","reason":"`...)
		b = append(b, why...)
	}
	b = now.UTC().AppendFormat(b, `","time":"2006-01-02T15:04:05.000Z"}`)
	return appendID(b, id)
}

// BusyFrame returns the frame that ends a stream which cannot be served now. The browser reconnects after retry, to the millisecond; below 0 it
// is 0. The frame has no id, so that the browser keeps its cursor.
func BusyFrame(retry time.Duration) []byte {
	b := appendRetry([]byte("event: busy\nretry: "), retry)
	return append(b, "data: {}\n\n"...)
}

func appendRetry(b []byte, retry time.Duration) []byte {
	return append(strconv.AppendInt(b, max(0, retry.Milliseconds()), 10), '\n')
}

// appendID appends the id line, which ends a frame. A client whose connection ends anywhere in the frame then still has the cursor before it.
func appendID(b []byte, id ID) []byte {
	b = append(append(b, idLine...), id.Epoch...)
	b = strconv.AppendUint(append(b, '-'), id.Seq, 10)
	return append(b, blankLine...)
}

// RetractedID returns the id in a retraction's data. The error is ErrMalformedID when the data is not what RetractData returns.
func RetractedID(data []byte) (ID, error) {
	id, ok := bytes.CutPrefix(data, []byte(`{"id":"`))
	id, end := bytes.CutSuffix(id, []byte(`"}`))
	if !ok || !end {
		return ID{}, ErrMalformedID
	}
	return ParseID(string(id))
}

func digits(n uint64) int {
	count := 1
	for ; n >= 10; n /= 10 {
		count++
	}
	return count
}
