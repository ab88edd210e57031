package main

import "errors"

// dechunker decodes the chunked transfer coding (RFC 9112, section 7.1). It ignores extensions and
// does not support trailers. Input may be cut anywhere. The zero value is ready to use.
type dechunker struct {
	state chunkState
	left  int // bytes left in the chunk; while state is chunkSize, the digits parsed so far
}

type chunkState uint8

const (
	chunkSize      chunkState = iota // in the size line
	chunkExtension                   // after the semicolon of the size line
	chunkData
	chunkEnd  // in the line end after the data
	chunkLast // after the size line of the last chunk
)

var errChunk = errors.New("the chunked coding of the response is invalid")

// next returns the next payload in b, which aliases b, and the bytes after it. The payload is empty
// if b has only framing.
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
