package main

import (
	"fmt"
	"net/http"
)

// subscriber is one emulated browser: its current connection, and the audit of everything it
// received, which spans its connections.
type subscriber struct {
	state        state // changed by pool.setState only
	awaitingHead bool
	chunked      bool
	chunks       dechunker
	scan         scanner
	head         []byte // an incomplete response head
	id           []byte // of the last dispatched frame
	opened       int64  // clock time at which the current connection was opened

	next         []uint32 // by publisher: the sequence expected next
	order        uint64   // hash of all events in the order of their arrival
	orderInvalid bool     // an event was lost or repeated, so order is not compared
}

type state uint8

const (
	stateIdle       state = iota // not connected
	stateConnecting              // connection opened, no ready frame yet
	stateReady                   // ready frame received
	stateBusy                    // got "busy"; the server closes the connection
	states                       // number of states
)

// connect resets the parsers for the bytes of a new connection.
func (s *subscriber) connect(now int64) {
	s.awaitingHead, s.opened = true, now
	s.chunks, s.scan, s.head = dechunker{}, scanner{}, nil
}

// takeHead strips the response head off the first bytes of a connection. The status is 0 while the
// head is incomplete.
func (s *subscriber) takeHead(b []byte) (body []byte, status int, err error) {
	if len(s.head) > 0 {
		b = append(s.head, b...)
	}
	h, body, ok, err := parseHead(b)
	if err != nil {
		return nil, 0, err
	}
	if !ok {
		s.head = append([]byte(nil), b...)
		return nil, 0, nil
	}
	s.awaitingHead, s.chunked, s.head = false, h.chunked, nil
	return body, h.status, nil
}

// statusProblem describes a status other than 200 of GET /events.
func statusProblem(status int) string {
	switch status {
	case http.StatusNotFound:
		return "GET /events got status 404: the site does not exist, or -url is not the address of the installation"
	case http.StatusForbidden:
		return "GET /events got status 403: loadgen sends no Origin; a proxy before the service refuses the request"
	}
	return fmt.Sprintf("GET /events got status %d %s", status, http.StatusText(status))
}
