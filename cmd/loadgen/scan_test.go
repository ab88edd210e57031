package main

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
)

// frames scans the pieces one after another and describes the frames found.
func frames(m *marker, pieces ...[]byte) []string {
	var s scanner
	var found []string
	for _, b := range pieces {
		b = bytes.Clone(b)
		for f, rest, ok := s.next(b, m); ok; f, rest, ok = s.next(rest, m) {
			found = append(found, fmt.Sprintf("%d %v %v %q", f.kind, f.ours, f.mark, f.id))
		}
		clear(b) // what the scanner keeps must be its own
	}
	return found
}

func TestScanner(t *testing.T) {
	m := &marker{prefix: []byte("abcdef-")}
	cases := []struct {
		name, stream string
		want         []string
	}{
		{"a ready frame", "event: ready\nretry: 3000\ndata: {}\nid: e-4\n\n", []string{`1 false {0 0} "e-4"`}},
		{"one of our events", "event: signup\ndata: {\"user_name\":\"abcdef-03-0000042\"}\nid: e-5\n\n", []string{`2 true {3 42} "e-5"`}},
		{"somebody else's event", "event: signup\ndata: {\"user_name\":\"Ada\"}\nid: e-6\n\n", []string{`2 false {0 0} "e-6"`}},
		{"heartbeats between frames and before one", ":\n:\nevent: busy\ndata: {}\n\n:\n", []string{`3 false {0 0} ""`}},
		{"CRLF and no space after the colon", "event:signup\r\ndata:abcdef-00-0000001\r\nid:7\r\n\r\n", []string{`2 true {0 1} "7"`}},
		{"an unfinished frame", "event: signup\ndata: abcdef-00-0000001\nid: 7\n", nil},
		{"empty lines alone", "\n\n\n", nil},
		{"a mark cut short", "data: abcdef-00-00\n\n", []string{`0 false {0 0} ""`}},
		{"field names that only begin alike", "dataset: abcdef-00-0000001\n\n", []string{`0 false {0 0} ""`}},
	}
	for _, c := range cases {
		if got := frames(m, []byte(c.stream)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzScannerPieces would catch any dependence on where the network cuts the stream.
func FuzzScannerPieces(f *testing.F) {
	f.Add([]byte("event: signup\ndata: {\"user_name\":\"abcdef-03-0000042\"}\nid: e-5\n\n:\nevent: ready\r\nid: 1\r\n\r\n"), uint8(7))
	f.Add([]byte("\n:\n\nid\nid:\ndata: abcdef-xx-0000000\n\n"), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, cut uint8) {
		m := &marker{prefix: []byte("abcdef-")}
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

func TestMarkRoundTrip(t *testing.T) {
	m := newMarker()
	for _, k := range []mark{{0, 0}, {7, 12345}, {99, 9999999}} {
		b := make([]byte, m.width())
		m.put(b, k)
		if got, ok := m.find(append([]byte("Ada "), b...)); !ok || got != k {
			t.Errorf("%s: got %v %v, want %v", b, got, ok, k)
		}
	}
	if len(bodyStart+bodyEnd)+m.width() > 120 {
		t.Error("a signup of this length would need another look at the contract's limits")
	}
}
