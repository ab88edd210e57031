package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"time"
)

// poster posts signups over one persistent connection. It builds the request once and changes only
// its tag, because net/http uses several times the CPU time that the server needs for a post.
type poster struct {
	target  *target
	tags    *tagCodec
	request []byte
	at      int // offset of the tag in request
	conn    net.Conn
	used    time.Time // when conn was opened, or had its last response
	buffer  []byte    // holds a whole response; a longer one is an error
}

// response is the response to a post. text is the start of the body as one line, and empty for status 200.
type response struct {
	status int
	text   string
}

// A body is bodyStart, a tag and bodyEnd. The data of its event is 105 bytes long.
const (
	bodyStart = `{"user_name":"`        // up to the value of user_name
	bodyEnd   = `","offer_name":"Tea"}` // the rest
)

// idleLimit is how long a connection is kept without a post. Servers and proxies close idle connections, some after a few seconds, and a post that
// crosses that has an unknown outcome.
const idleLimit = 4 * time.Second

// postTimeout is the longest time from a request to the end of its response.
const postTimeout = 10 * time.Second

func newPoster(t *target, key string, c *tagCodec) *poster {
	p := &poster{target: t, tags: c, buffer: make([]byte, 16<<10)}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST /signup HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n", t.host, key)
	fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(bodyStart)+c.width()+len(bodyEnd))
	b.WriteString(bodyStart)
	p.at = b.Len()
	b.Write(make([]byte, c.width()))
	b.WriteString(bodyEnd)
	p.request = b.Bytes()
	return p
}

// post posts one signup and awaits its response for at most postTimeout. After an error the outcome is
// unknown, and the next post opens a new connection.
func (p *poster) post(k tag) (response, error) {
	if err := p.connect(); err != nil {
		return response{}, err
	}
	p.tags.put(p.request[p.at:], k)
	_ = p.conn.SetDeadline(time.Now().Add(postTimeout))
	a, err := p.exchange()
	if err != nil {
		p.close()
		return response{}, fmt.Errorf("post a signup: %w", err)
	}
	p.used = time.Now()
	return a, nil
}

// connect opens the connection unless it is open and was used lately. Call it before a measurement to leave the
// handshake out of it.
func (p *poster) connect() (err error) {
	if time.Since(p.used) > idleLimit {
		p.close()
	}
	if p.conn == nil {
		p.conn, err = p.target.dial()
		p.used = time.Now()
	}
	return err
}

func (p *poster) close() {
	if p.conn != nil {
		p.conn.Close()
		p.conn = nil
	}
}

// exchange sends the request and reads one response.
func (p *poster) exchange() (response, error) {
	if _, err := p.conn.Write(p.request); err != nil {
		return response{}, err
	}
	for got := 0; ; {
		n, err := p.conn.Read(p.buffer[got:])
		if got += n; n == 0 {
			return response{}, cmp.Or(err, io.ErrUnexpectedEOF)
		}
		h, body, ok, err := parseHead(p.buffer[:got])
		if err != nil {
			return response{}, err
		}
		if !ok {
			continue
		}
		text, whole, err := h.body(body)
		if err != nil || whole {
			return response{h.status, text}, err
		}
		if got == len(p.buffer) {
			return response{}, fmt.Errorf("the response is longer than %d bytes", got)
		}
	}
}
