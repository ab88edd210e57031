package main

import (
	"errors"
	"testing"
)

// TestParseHead would catch a head that is accepted early, and a wrong length or coding of the body.
func TestParseHead(t *testing.T) {
	cases := []struct {
		name, bytes string
		want        head
		body        string
		ok          bool
		err         error
	}{
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", head{200, true, -1}, "5\r\n", true, nil},
		{"with a length, in lower case", "HTTP/1.1 429 Slow\r\ncontent-length: 12\r\n\r\n", head{429, false, 12}, "", true, nil},
		{"without a reason", "HTTP/1.1 503\r\n\r\n", head{503, false, -1}, "", true, nil},
		{"incomplete", "HTTP/1.1 200 OK\r\nContent-", head{}, "", false, nil},
		{"something else", "SSH-2.0-OpenSSH\r\n\r\n", head{}, "", false, errNotHTTP},
	}
	for _, c := range cases {
		got, body, ok, err := parseHead([]byte(c.bytes))
		if got != c.want || string(body) != c.body || ok != c.ok || !errors.Is(err, c.err) {
			t.Errorf("%s: got %+v %q %v %v, want %+v %q %v %v", c.name, got, body, ok, err, c.want, c.body, c.ok, c.err)
		}
	}
}
