package stream

import (
	"bytes"
	"strconv"
	"time"
)

// MaxFrame is the size in bytes that no frame exceeds.
const MaxFrame = 8 << 10

// MaxData is the size in bytes up to which an event's data makes a frame of at most MaxFrame,
// whatever its kind and id.
const MaxData = MaxFrame - len(retractHead+idLine+blankLine) - len("0123456789abcdef-18446744073709551615")

const (
	announceHead = "event: signup\ndata: "
	retractHead  = "event: retract\ndata: "
	idLine       = "\nid: "
	blankLine    = "\n\n"
)

// Heartbeat is sent to idle subscribers: a comment line alone. A blank line after it would be taken
// for an empty event by some readers.
const Heartbeat = ":\n"

// Frame is an event as it goes over the wire, encoded once and shared by all subscribers. It never
// changes.
type Frame struct {
	seq   uint64
	kind  Kind
	time  int64 // Unix milliseconds
	bytes []byte
}

// NewFrame encodes the event that has this id. Its data is JSON; line ends in it, which JSON allows
// only between tokens, become spaces, so that no data can begin a line of the stream.
func NewFrame(id ID, kind Kind, at time.Time, data []byte) *Frame {
	head := announceHead
	if kind == Retract {
		head = retractHead
	}
	b := make([]byte, 0, len(head)+len(data)+len(idLine)+len(id.Epoch)+1+digits(id.Seq)+len(blankLine))
	b = append(b, head...)
	b = append(b, data...)
	if line := b[len(head):]; bytes.ContainsAny(line, "\r\n") {
		for i, c := range line {
			if c == '\r' || c == '\n' {
				line[i] = ' '
			}
		}
	}
	return &Frame{seq: id.Seq, kind: kind, time: at.UnixMilli(), bytes: appendID(b, id)}
}

// Bytes returns the whole frame. The caller must not change it.
func (f *Frame) Bytes() []byte { return f.bytes }

// Seq returns the event's place in the log.
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

// RetractData returns the data of the event that withdraws the signup with this id.
func RetractData(id ID) []byte {
	b := append(make([]byte, 0, 48), `{"id":"`...)
	b = append(b, id.Epoch...)
	b = strconv.AppendUint(append(b, '-'), id.Seq, 10)
	return append(b, `"}`...)
}

// Replay says what a subscriber gets of the past.
type Replay string

const (
	Fresh    Replay = "fresh"    // it gave no position
	Complete Replay = "complete" // everything after its position, once, in order
	Gap      Replay = "gap"      // its position could not be continued from; a Reason says why
)

// ReadyFrame returns the frame that opens a stream. The id is the subscriber's position, never
// ahead of what it has been sent; why is empty unless the replay is a Gap; retry is the
// reconnection delay asked of the browser, to the millisecond.
func ReadyFrame(id ID, replay Replay, why Reason, now time.Time, retry time.Duration) []byte {
	b := appendRetry(append(make([]byte, 0, 192), "event: ready\nretry: "...), retry)
	b = append(b, "data: {\"replay\":\""...)
	b = append(b, replay...)
	if why != "" {
		b = append(b, `","reason":"`...)
		b = append(b, why...)
	}
	b = appendTime(append(b, `","time":`...), now)
	return appendID(append(b, '}'), id)
}

// BusyFrame returns the frame that ends a stream which cannot be served now: the browser comes back
// by itself after retry. It has no id, so that the browser keeps its position.
func BusyFrame(retry time.Duration) []byte {
	b := appendRetry([]byte("event: busy\nretry: "), retry)
	return append(b, "data: {}\n\n"...)
}

func appendRetry(b []byte, retry time.Duration) []byte {
	return append(strconv.AppendInt(b, max(0, retry.Milliseconds()), 10), '\n')
}

// appendID ends a frame: the id line comes last, so that a reader that was cut off anywhere in the
// frame still has the position before it.
func appendID(b []byte, id ID) []byte {
	b = append(append(b, idLine...), id.Epoch...)
	b = strconv.AppendUint(append(b, '-'), id.Seq, 10)
	return append(b, blankLine...)
}

func digits(n uint64) int {
	count := 1
	for ; n >= 10; n /= 10 {
		count++
	}
	return count
}
