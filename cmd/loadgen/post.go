package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"time"
)

// poster sends signups over one kept connection. It makes the request once and changes only the
// mark in it: net/http would cost the generator several times what the server spends on a post.
type poster struct {
	target  *target
	marker  *marker
	request []byte
	at      int // where the mark stands in the request
	conn    net.Conn
	buffer  []byte
}

// answer is what came back; text is the body, cut short, for people to read.
type answer struct {
	status int
	text   string
}

// With these values the data of an event is 105 bytes long.
const (
	bodyStart = `{"user_name":"`
	bodyEnd   = `","offer_name":"Tea"}`
)

func newPoster(t *target, key string, m *marker) *poster {
	p := &poster{target: t, marker: m, buffer: make([]byte, 16<<10)}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST /signup HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n", t.host, key)
	fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(bodyStart)+m.width()+len(bodyEnd))
	b.WriteString(bodyStart)
	p.at = b.Len()
	b.Write(make([]byte, m.width()))
	b.WriteString(bodyEnd)
	p.request = b.Bytes()
	return p
}

// post sends one signup and awaits its answer. After an error the outcome is unknown and the next
// post opens a new connection.
func (p *poster) post(k mark) (answer, error) {
	if err := p.connect(); err != nil {
		return answer{}, err
	}
	p.marker.put(p.request[p.at:], k)
	_ = p.conn.SetDeadline(time.Now().Add(10 * time.Second))
	a, err := p.exchange()
	if err != nil {
		p.close()
		return answer{}, fmt.Errorf("post a signup: %w", err)
	}
	return a, nil
}

// connect makes sure of a connection before the clock runs.
func (p *poster) connect() (err error) {
	if p.conn == nil {
		p.conn, err = p.target.dial()
	}
	return err
}

func (p *poster) close() {
	if p.conn != nil {
		p.conn.Close()
		p.conn = nil
	}
}

func (p *poster) exchange() (answer, error) {
	if _, err := p.conn.Write(p.request); err != nil {
		return answer{}, err
	}
	for got := 0; ; {
		n, err := p.conn.Read(p.buffer[got:])
		if got += n; n == 0 {
			return answer{}, cmp.Or(err, io.ErrUnexpectedEOF)
		}
		h, body, ok, err := parseHead(p.buffer[:got])
		if err != nil {
			return answer{}, err
		}
		if !ok {
			continue
		}
		text, whole, err := h.body(body)
		if err != nil || whole {
			return answer{h.status, text}, err
		}
		if got == len(p.buffer) {
			return answer{}, fmt.Errorf("an answer of more than %d bytes", got)
		}
	}
}

// body returns the whole body of an answer as one short line, once all of it is there.
func (h head) body(b []byte) (text string, whole bool, err error) {
	if !h.chunked {
		if h.length < 0 {
			return "", false, errNotHTTP
		}
		return h.short(b), len(b) >= h.length, nil
	}
	var all []byte
	for d := (dechunker{}); len(b) > 0; {
		var piece []byte
		if piece, b, err = d.next(b); err != nil {
			return "", false, err
		}
		all = append(all, piece...)
		whole = d.state == chunkLast
	}
	return h.short(all), whole, nil
}

// short makes a body readable in a message; the common case, success, is not worth a copy.
func (h head) short(b []byte) string {
	if h.status == 200 {
		return ""
	}
	return string(bytes.Join(bytes.Fields(b[:min(len(b), 200)]), []byte{' '}))
}
