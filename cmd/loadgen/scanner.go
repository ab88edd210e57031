package main

import "bytes"

// scanner parses an event stream (WHATWG HTML, "Server-sent events") as far as an audit needs: the
// event type of a frame, the tag in its data, and its id. Lines end in LF or CRLF. Input may be cut
// anywhere. The zero value is ready to use.
type scanner struct {
	partial []byte // an incomplete line
	current frame
	inFrame bool // current has at least one field
}

// frame is one dispatched event.
type frame struct {
	kind   frameKind
	tag    tag
	tagged bool   // this run posted the event; tag is valid
	id     []byte // aliases the scanner; valid until the next call of next
}

type frameKind uint8

const (
	kindMessage frameKind = iota // no event field, or an event type not listed here
	kindReady
	kindSignup
	kindBusy
)

// next consumes b up to the end of one frame and returns that frame and the bytes after it. At the
// end of b it returns ok = false and keeps an incomplete line for the next call.
func (s *scanner) next(b []byte, c *tagCodec) (f frame, rest []byte, ok bool) {
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			s.partial = append(s.partial, b...)
			return frame{}, nil, false
		}
		line := b[:end]
		b = b[end+1:]
		if len(s.partial) > 0 {
			line = append(s.partial, line...)
		}
		done := s.line(bytes.TrimSuffix(line, []byte{'\r'}), c)
		s.partial = nil
		if done {
			return s.current, b, true
		}
	}
}

// line parses one line and reports whether it ended a frame.
func (s *scanner) line(line []byte, c *tagCodec) bool {
	if len(line) == 0 {
		done := s.inFrame
		s.inFrame = false
		return done
	}
	if line[0] == ':' {
		return false
	}
	if !s.inFrame {
		s.current = frame{id: s.current.id[:0]}
		s.inFrame = true
	}
	if value, ok := field(line, "data"); ok {
		if k, found := c.find(value); found {
			s.current.tag, s.current.tagged = k, true
		}
	} else if value, ok := field(line, "id"); ok {
		s.current.id = append(s.current.id[:0], value...)
	} else if value, ok := field(line, "event"); ok {
		s.current.kind = kindOf(value)
	}
	return false
}

// field returns the value of a line with the given field name, without one leading space.
func field(line []byte, name string) ([]byte, bool) {
	if len(line) <= len(name) || line[len(name)] != ':' || string(line[:len(name)]) != name {
		return nil, false
	}
	return bytes.TrimPrefix(line[len(name)+1:], []byte{' '}), true
}

func kindOf(event []byte) frameKind {
	switch string(event) {
	case "ready":
		return kindReady
	case "signup":
		return kindSignup
	case "busy":
		return kindBusy
	}
	return kindMessage
}
