package main

import (
	"bytes"
	"crypto/rand"
	"strconv"
)

// tag identifies one posted event. A publisher awaits each response before it posts again, so the
// sequences of one publisher are ordered.
type tag struct {
	publisher int    // 0 to maxPublishers-1
	seq       uint32 // 0 to 9,999,999
}

const (
	publisherDigits = 2   // digits of a publisher's index in an encoded tag
	seqDigits       = 7   // digits of a sequence in an encoded tag
	maxPublishers   = 100 // publishers that publisherDigits can number
)

// tagCodec writes and finds the tags of one run. They travel in user_name as RUN-PUBLISHER-SEQ. The
// fixed width lets a publisher build its request once and change only the digits; the random RUN
// distinguishes our signups from others on the same site.
type tagCodec struct {
	prefix []byte // RUN and a hyphen, such as "K3V9F2-"
}

func newTagCodec() *tagCodec {
	return &tagCodec{prefix: []byte(rand.Text()[:6] + "-")}
}

// width is the length of an encoded tag in bytes.
func (c *tagCodec) width() int { return len(c.prefix) + publisherDigits + 1 + seqDigits }

// put encodes k into the first width bytes of dst.
func (c *tagCodec) put(dst []byte, k tag) {
	n := copy(dst, c.prefix)
	putDigits(dst[n:n+publisherDigits], uint32(k.publisher))
	dst[n+publisherDigits] = '-'
	putDigits(dst[n+publisherDigits+1:n+publisherDigits+1+seqDigits], k.seq)
}

// find returns the first tag of this run in b.
func (c *tagCodec) find(b []byte) (tag, bool) {
	at := bytes.Index(b, c.prefix)
	if at < 0 || len(b)-at < c.width() {
		return tag{}, false
	}
	b = b[at+len(c.prefix):]
	publisher, err := strconv.ParseUint(string(b[:publisherDigits]), 10, 32)
	if err != nil || b[publisherDigits] != '-' {
		return tag{}, false
	}
	seq, err := strconv.ParseUint(string(b[publisherDigits+1:publisherDigits+1+seqDigits]), 10, 32)
	if err != nil {
		return tag{}, false
	}
	return tag{publisher: int(publisher), seq: uint32(seq)}, true
}

func putDigits(dst []byte, n uint32) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
}
