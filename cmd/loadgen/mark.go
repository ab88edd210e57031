package main

import (
	"bytes"
	"crypto/rand"
	"strconv"
)

// A mark tells a subscriber which of our posts an event was: the lane (one publisher, which awaits
// each answer, so that its events have one order) and the place in that lane.
type mark struct {
	lane int
	seq  uint32
}

const (
	laneDigits = 2
	seqDigits  = 7
	maxLanes   = 100
)

// marker writes and finds the marks of one run. They travel in user_name as RUN-LANE-SEQ with a
// fixed width, so that a request is made once and then only its digits change, and other people's
// signups on the same site are not mistaken for ours.
type marker struct {
	prefix []byte // "k3v9f2-"
}

func newMarker() *marker {
	return &marker{prefix: []byte(rand.Text()[:6] + "-")}
}

// width is the length of a whole mark in bytes.
func (m *marker) width() int { return len(m.prefix) + laneDigits + 1 + seqDigits }

// put writes a mark over the first width bytes of dst.
func (m *marker) put(dst []byte, k mark) {
	n := copy(dst, m.prefix)
	putDigits(dst[n:n+laneDigits], uint32(k.lane))
	dst[n+laneDigits] = '-'
	putDigits(dst[n+laneDigits+1:n+laneDigits+1+seqDigits], k.seq)
}

// find returns the first mark of this run in b.
func (m *marker) find(b []byte) (mark, bool) {
	at := bytes.Index(b, m.prefix)
	if at < 0 || len(b)-at < m.width() {
		return mark{}, false
	}
	b = b[at+len(m.prefix):]
	lane, err := strconv.ParseUint(string(b[:laneDigits]), 10, 32)
	if err != nil || b[laneDigits] != '-' {
		return mark{}, false
	}
	seq, err := strconv.ParseUint(string(b[laneDigits+1:laneDigits+1+seqDigits]), 10, 32)
	if err != nil {
		return mark{}, false
	}
	return mark{lane: int(lane), seq: uint32(seq)}, true
}

func putDigits(dst []byte, n uint32) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
}
