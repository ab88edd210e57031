package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// floorScript is what the floor says: requests it understands and bytes it answers with. It
// believes what it reads, since its only clients are generators.
type floorScript struct {
	seq     int
	history [floorHistory][]byte // the newest frames, for those who come back
}

const floorHistory = 1024

type floorRequest struct {
	kind   floorKind
	name   []byte // user_name of a signup
	lastID int    // -1: none
}

type floorKind uint8

const (
	floorStats floorKind = iota
	floorEvents
	floorSignup
)

// cut takes one whole request off b.
func (s *floorScript) cut(b []byte) (r floorRequest, rest []byte, ok bool) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return r, nil, false
	}
	head, rest := b[:end+2], b[end+4:]
	r.lastID = -1
	switch {
	case bytes.HasPrefix(head, []byte("GET /events")):
		r.kind = floorEvents
		if _, number, found := bytes.Cut(header(head, "Last-Event-ID: "), []byte("floor-")); found {
			r.lastID, _ = strconv.Atoi(string(number))
		}
	case bytes.HasPrefix(head, []byte("POST /signup")):
		r.kind = floorSignup
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

// event encodes the next event, once for all.
func (s *floorScript) event(name []byte) []byte {
	s.seq++
	frame := fmt.Appendf(nil, "event: signup\ndata: {\"img_path\":\"default\",\"offer_name\":\"Tea\",\"user_name\":\"%s\",\"at\":\"%s\"}\nid: floor-%d\n\n",
		name, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), s.seq)
	frame = chunk(frame)
	s.history[s.seq%floorHistory] = frame
	return frame
}

// opening is the head, the ready frame, and what a subscriber with a last id has missed.
func (s *floorScript) opening(lastID int) []byte {
	at, replay := s.seq, "fresh"
	if lastID >= 0 {
		at, replay = max(min(lastID, s.seq), s.seq-floorHistory), "complete"
	}
	b := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache, no-store, no-transform\r\nTransfer-Encoding: chunked\r\n\r\n")
	b = append(b, chunk(fmt.Appendf(nil, "event: ready\nretry: 3000\ndata: {\"replay\":\"%s\",\"time\":\"%s\"}\nid: floor-%d\n\n",
		replay, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), at))...)
	for seq := at + 1; seq <= s.seq; seq++ {
		b = append(b, s.history[seq%floorHistory]...)
	}
	return b
}

func (s *floorScript) stored() []byte {
	return answerJSON(fmt.Sprintf(`{"id":"floor-%d","duplicate":false}`, s.seq))
}

func (s *floorScript) stats(subscribers int) []byte {
	return answerJSON(fmt.Sprintf(`{"subscribers":%d,"events":%d}`, subscribers, s.seq))
}

func answerJSON(body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func chunk(b []byte) []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(b), b) }
