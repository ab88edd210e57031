package stream_test

import (
	"strconv"
	"strings"
)

// sseEvent is what a page's listener gets.
type sseEvent struct{ kind, data, lastID string }

// sseReader is a browser's reading of an event stream, written from the WHATWG HTML standard,
// section 9.2.6 ("interpreting an event stream"), and from nothing of ours.
type sseReader struct {
	lastID string // as the next request would send it
	retry  int    // in milliseconds; 0 when never given
	fields []string

	data, kind, id string // the buffers of the standard
}

// read interprets one connection, from its first byte to its end: what is pending then is dropped.
func (s *sseReader) read(stream string) (events []sseEvent) {
	s.data, s.kind, s.id = "", "", s.lastID
	stream = strings.TrimPrefix(string([]rune(stream)), "\ufeff")
	for {
		end := strings.IndexAny(stream, "\r\n")
		if end < 0 {
			return events
		}
		line := stream[:end]
		if strings.HasPrefix(stream[end:], "\r\n") {
			end++
		}
		stream = stream[end+1:]
		if line != "" {
			s.line(line)
			continue
		}
		s.lastID = s.id
		if s.data != "" {
			event := sseEvent{kind: s.kind, data: strings.TrimSuffix(s.data, "\n"), lastID: s.lastID}
			if event.kind == "" {
				event.kind = "message"
			}
			events = append(events, event)
		}
		s.data, s.kind = "", ""
	}
}

func (s *sseReader) line(line string) {
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	if field != "" {
		s.fields = append(s.fields, field)
	}
	switch field {
	case "event":
		s.kind = value
	case "data":
		s.data += value + "\n"
	case "id":
		if !strings.Contains(value, "\x00") {
			s.id = value
		}
	case "retry":
		if n, err := strconv.Atoi(value); err == nil && strings.Trim(value, "0123456789") == "" {
			s.retry = n
		}
	}
}
