package main

import (
	"bytes"
	"errors"
	"io"
	"net/http/httputil"
	"testing"
)

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

func dechunk(d *dechunker, b []byte) (out []byte, err error) {
	for len(b) > 0 {
		var payload []byte
		if payload, b, err = d.next(b); err != nil {
			return out, err
		}
		out = append(out, payload...)
	}
	return out, nil
}

// FuzzDechunkerRoundTrip holds the decoder against the standard library's encoder, with the
// network's cuts anywhere.
func FuzzDechunkerRoundTrip(f *testing.F) {
	f.Add([]byte("event: ready\n\nevent: signup\n\n"), uint8(3), uint8(5))
	f.Fuzz(func(t *testing.T, body []byte, size, cut uint8) {
		var coded bytes.Buffer
		w := httputil.NewChunkedWriter(&coded)
		for rest := body; len(rest) > 0; {
			n := min(len(rest), int(size)+1)
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		w.Close()
		io.WriteString(&coded, "\r\n")
		var d dechunker
		var got []byte
		for rest := coded.Bytes(); len(rest) > 0; {
			n := min(len(rest), int(cut)+1)
			piece, err := dechunk(&d, rest[:n])
			if err != nil {
				t.Fatalf("decode %q: %v", coded.Bytes(), err)
			}
			got, rest = append(got, piece...), rest[n:]
		}
		if !bytes.Equal(got, body) || d.state != chunkLast {
			t.Errorf("got %q in state %d, want %q", got, d.state, body)
		}
	})
}

// FuzzDechunker would catch a crash or an endless loop on what is no chunked coding.
func FuzzDechunker(f *testing.F) {
	f.Add([]byte("zz\r\n"))
	f.Add([]byte("ffffffffffffffffff\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d dechunker
		if out, _ := dechunk(&d, b); len(out) > len(b) {
			t.Errorf("%d bytes out of %d", len(out), len(b))
		}
	})
}
