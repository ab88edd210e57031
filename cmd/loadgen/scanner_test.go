package main

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
)

// frames scans the pieces in order and describes each frame.
func frames(m *tagCodec, pieces ...[]byte) []string {
	var s scanner
	var found []string
	for _, b := range pieces {
		b = bytes.Clone(b)
		for f, rest, ok := s.next(b, m); ok; f, rest, ok = s.next(rest, m) {
			found = append(found, fmt.Sprintf("%d %v %v %q", f.kind, f.tagged, f.tag, f.id))
		}
		clear(b) // the scanner must have copied what it keeps
	}
	return found
}

// TestScanner would catch a frame with a wrong kind, tag or id.
func TestScanner(t *testing.T) {
	m := &tagCodec{prefix: []byte("abcdef-")}
	cases := []struct {
		name, stream string
		want         []string
	}{
		{"a ready frame", "event: ready\nretry: 3000\ndata: {}\nid: e-4\n\n", []string{`1 false {0 0} "e-4"`}},
		{"one of our events", "event: signup\ndata: {\"user_name\":\"abcdef-03-0000042\"}\nid: e-5\n\n", []string{`2 true {3 42} "e-5"`}},
		{"an event of another run", "event: signup\ndata: {\"user_name\":\"Ada\"}\nid: e-6\n\n", []string{`2 false {0 0} "e-6"`}},
		{"heartbeats between and after frames", ":\n:\nevent: busy\ndata: {}\n\n:\n", []string{`3 false {0 0} ""`}},
		{"CRLF and no space after the colon", "event:signup\r\ndata:abcdef-00-0000001\r\nid:7\r\n\r\n", []string{`2 true {0 1} "7"`}},
		{"an incomplete frame", "event: signup\ndata: abcdef-00-0000001\nid: 7\n", nil},
		{"only empty lines", "\n\n\n", nil},
		{"a truncated tag", "data: abcdef-00-00\n\n", []string{`0 false {0 0} ""`}},
		{"a field name with the prefix data", "dataset: abcdef-00-0000001\n\n", []string{`0 false {0 0} ""`}},
	}
	for _, c := range cases {
		if got := frames(m, []byte(c.stream)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzScannerPieces would catch a result that depends on where the input is cut.
func FuzzScannerPieces(f *testing.F) {
	f.Add([]byte("event: signup\ndata: {\"user_name\":\"abcdef-03-0000042\"}\nid: e-5\n\n:\nevent: ready\r\nid: 1\r\n\r\n"), uint8(7))
	f.Add([]byte("\n:\n\nid\nid:\ndata: abcdef-xx-0000000\n\n"), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, cut uint8) {
		m := &tagCodec{prefix: []byte("abcdef-")}
		var pieces [][]byte
		for rest := stream; len(rest) > 0; {
			n := min(len(rest), int(cut)%19+1)
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		if got, want := frames(m, pieces...), frames(m, stream); !reflect.DeepEqual(got, want) {
			t.Errorf("in pieces %q, whole %q", got, want)
		}
	})
}
