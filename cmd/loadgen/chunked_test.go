package main

import (
	"bytes"
	"io"
	"net/http/httputil"
	"testing"
)

// dechunk decodes all of b.
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

// FuzzDechunkerRoundTrip would catch a payload that differs from what the standard library encoded,
// wherever the input is cut.
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

// FuzzDechunker would catch a panic or an endless loop on invalid input.
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
