package main

import (
	"bytes"
	"errors"
	"strconv"
)

// head is what we need of an HTTP/1.1 response head.
type head struct {
	status  int
	chunked bool
	length  int // of the body; -1 when not told
}

var errNotHTTP = errors.New("the answer is not HTTP/1.1")

// parseHead reads the response head at the start of b and returns what follows it. ok is false
// while the head is incomplete.
func parseHead(b []byte) (h head, body []byte, ok bool, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > 64<<10 {
			return h, nil, false, errNotHTTP
		}
		return h, nil, false, nil
	}
	lines := b[:end]
	first, lines, _ := bytes.Cut(lines, []byte("\r\n"))
	if len(first) < 12 || !bytes.HasPrefix(first, []byte("HTTP/1.")) {
		return h, nil, false, errNotHTTP
	}
	h.length = -1
	if h.status, err = strconv.Atoi(string(first[9:12])); err != nil {
		return h, nil, false, errNotHTTP
	}
	for len(lines) > 0 {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte("\r\n"))
		h.header(line)
	}
	return h, b[end+4:], true, nil
}

func (h *head) header(line []byte) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch {
	case equalFold(name, "transfer-encoding"):
		h.chunked = equalFold(bytes.TrimSpace(value), "chunked")
	case equalFold(name, "content-length"):
		if n, err := strconv.Atoi(string(bytes.TrimSpace(value))); err == nil {
			h.length = n
		}
	}
}

func equalFold(b []byte, s string) bool {
	return len(b) == len(s) && bytes.EqualFold(b, []byte(s))
}

// dechunker takes the chunked transfer coding (RFC 9112, 7.1) off a body that comes in any
// pieces. The zero value is ready to use.
type dechunker struct {
	state chunkState
	left  int // bytes of the chunk still to come, or the size read so far
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkData
	chunkEnd // the line end after the data
	chunkLast
)

var errChunk = errors.New("broken chunked coding")

// next returns the next piece of payload in b, aliasing it, and what follows. Payload is empty
// when b held only framing.
func (d *dechunker) next(b []byte) (payload, rest []byte, err error) {
	for len(b) > 0 {
		if d.state == chunkData {
			n := min(d.left, len(b))
			d.left -= n
			if d.left == 0 {
				d.state = chunkEnd
			}
			return b[:n], b[n:], nil
		}
		if d.state == chunkLast {
			return nil, nil, nil
		}
		if err := d.framing(b[0]); err != nil {
			return nil, nil, err
		}
		b = b[1:]
	}
	return nil, nil, nil
}

func (d *dechunker) framing(c byte) error {
	switch {
	case c == '\n' && d.state == chunkEnd:
		d.state = chunkSize
	case c == '\n' && d.left == 0:
		d.state = chunkLast
	case c == '\n':
		d.state = chunkData
	case c == '\r' || d.state == chunkExtension:
	case c == ';' && d.state == chunkSize:
		d.state = chunkExtension
	case d.state == chunkSize && unhex(c) >= 0 && d.left < 1<<24:
		d.left = d.left<<4 | unhex(c)
	default:
		return errChunk
	}
	return nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
