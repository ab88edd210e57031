package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// floorProtocol parses the requests of a floor and encodes its responses. It does not validate
// requests, because its only client is loadgen.
type floorProtocol struct {
	seq    int
	replay [replaySize][]byte // by sequence modulo replaySize: the newest frames
}

// replaySize is how many events a subscriber can miss and still get when it resumes.
const replaySize = 1024

type floorRequest struct {
	kind   requestKind
	name   []byte // user_name of a signup
	lastID int    // sequence in Last-Event-ID; -1: none
}

type requestKind uint8

const (
	requestStats requestKind = iota
	requestEvents
	requestSignup
)

// cut parses the request at the start of b. ok is false while it is incomplete.
func (s *floorProtocol) cut(b []byte) (r floorRequest, rest []byte, ok bool) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return r, nil, false
	}
	head, rest := b[:end+2], b[end+4:]
	r.lastID = -1
	switch {
	case bytes.HasPrefix(head, []byte("GET /events")):
		r.kind = requestEvents
		if _, number, found := bytes.Cut(header(head, "Last-Event-ID: "), []byte("floor-")); found {
			r.lastID, _ = strconv.Atoi(string(number))
		}
	case bytes.HasPrefix(head, []byte("POST /signup")):
		r.kind = requestSignup
		length, _ := strconv.Atoi(string(header(head, "Content-Length: ")))
		if len(rest) < length {
			return r, nil, false
		}
		_, name, _ := bytes.Cut(rest[:length], []byte(`"user_name":"`))
		r.name, _, _ = bytes.Cut(name, []byte{'"'})
		rest = rest[length:]
	}
	return r, rest, true
}

func header(head []byte, name string) []byte {
	_, after, _ := bytes.Cut(head, []byte("\r\n"+name))
	value, _, _ := bytes.Cut(after, []byte("\r\n"))
	return value
}

// event encodes the next event as one chunk.
func (s *floorProtocol) event(name []byte) []byte {
	s.seq++
	frame := fmt.Appendf(nil, "event: signup\ndata: {\"img_path\":\"default\",\"offer_name\":\"Tea\",\"user_name\":\"%s\",\"at\":\"%s\"}\nid: floor-%d\n\n",
		name, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), s.seq)
	frame = chunk(frame)
	s.replay[s.seq%replaySize] = frame
	return frame
}

// opening encodes the response head, the ready frame, and the events after lastID.
func (s *floorProtocol) opening(lastID int) []byte {
	at, replay := s.seq, "fresh"
	if lastID >= 0 {
		at, replay = max(min(lastID, s.seq), s.seq-replaySize), "complete"
	}
	b := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache, no-store, no-transform\r\nTransfer-Encoding: chunked\r\n\r\n")
	b = append(b, chunk(fmt.Appendf(nil, "event: ready\nretry: 3000\ndata: {\"replay\":\"%s\",\"time\":\"%s\"}\nid: floor-%d\n\n",
		replay, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), at))...)
	for seq := at + 1; seq <= s.seq; seq++ {
		b = append(b, s.replay[seq%replaySize]...)
	}
	return b
}

// stored encodes the response to the latest signup.
func (s *floorProtocol) stored() []byte {
	return responseJSON(fmt.Sprintf(`{"id":"floor-%d","duplicate":false}`, s.seq))
}

func (s *floorProtocol) stats(subscribers int) []byte {
	return responseJSON(fmt.Sprintf(`{"subscribers":%d,"events":%d}`, subscribers, s.seq))
}

func responseJSON(body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func chunk(b []byte) []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(b), b) }
