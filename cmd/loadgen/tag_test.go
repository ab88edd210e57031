package main

import "testing"

// TestTagRoundTrip would catch a tag that find reads differently from what put wrote.
func TestTagRoundTrip(t *testing.T) {
	c := newTagCodec()
	for _, k := range []tag{{0, 0}, {7, 12345}, {99, 9999999}} {
		b := make([]byte, c.width())
		c.put(b, k)
		if got, ok := c.find(append([]byte("Ada "), b...)); !ok || got != k {
			t.Errorf("%s: got %v %v, want %v", b, got, ok, k)
		}
	}
}
