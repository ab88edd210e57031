package main

import "bytes"

// scanner reads an event stream (WHATWG HTML, "Server-sent events") only as far as an audit
// needs: which event a frame is, whether it carries one of our marks, and its id. Lines may end
// in LF or CRLF. Bytes may come in any pieces. The zero value is ready to use.
type scanner struct {
	partial []byte // a line whose end has not arrived yet
	current frame  // the frame being read; current.id is valid until the next one begins
	begun   bool   // current has at least one field
}

// frame is one dispatched event. Its id aliases the scanner and is valid until the next call.
type frame struct {
	kind frameKind
	mark mark
	ours bool // mark is set: the event was posted by this run
	id   []byte
}

type frameKind uint8

const (
	kindMessage frameKind = iota // no event field, or a name we do not know
	kindReady
	kindSignup
	kindBusy
)

// next consumes b up to the end of one frame and returns that frame and what follows it. It
// returns ok = false once b is used up; an unfinished line is kept for the next call.
func (s *scanner) next(b []byte, m *marker) (f frame, rest []byte, ok bool) {
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			s.keep(b)
			return frame{}, nil, false
		}
		line := b[:end]
		b = b[end+1:]
		if len(s.partial) > 0 {
			line = append(s.partial, line...)
		}
		done := s.line(bytes.TrimSuffix(line, []byte{'\r'}), m)
		s.partial = nil
		if done {
			return s.current, b, true
		}
	}
}

func (s *scanner) keep(b []byte) {
	if len(b) > 0 {
		s.partial = append(s.partial, b...)
	}
}

// line takes one line and reports whether it ended a frame.
func (s *scanner) line(line []byte, m *marker) bool {
	if len(line) == 0 {
		done := s.begun
		s.begun = false
		return done
	}
	if line[0] == ':' {
		return false
	}
	if !s.begun {
		s.current = frame{id: s.current.id[:0]}
		s.begun = true
	}
	if value, ok := field(line, "data"); ok {
		if found, ours := m.find(value); ours {
			s.current.mark, s.current.ours = found, true
		}
	} else if value, ok := field(line, "id"); ok {
		s.current.id = append(s.current.id[:0], value...)
	} else if value, ok := field(line, "event"); ok {
		s.current.kind = kindOf(value)
	}
	return false
}

// field returns the value of a line that is the named field, without the one optional space.
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
