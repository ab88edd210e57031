package api_test

import (
	"testing"
	"time"
)

// A stream that is told busy, in its middle or at its beginning, stays open for a moment after it. A reader that was
// itself late sees less of the moment, so each has some tries.
func TestStreamIsHeldOpenAfterBusy(t *testing.T) {
	const enough, tries = 100 * time.Millisecond, 5
	onEach(t, func(t *testing.T, f *harness, w way) {
		lasts := func(what string, busy func() (*opened, *reader)) {
			t.Helper()
			for range tries {
				o, r := busy()
				heard := time.Now()
				if _, err := r.read(o); err == nil {
					t.Fatalf("%s: something follows busy", what)
				}
				if time.Since(heard) > enough {
					return
				}
			}
			t.Errorf("%s: the stream ended at once", what)
		}
		lasts("in its middle", func() (*opened, *reader) {
			f := serve(t, func(o *setup) { o.api.Flush = w.flush }) // a registry drains once
			o, r := f.open(w, "/events"), &reader{}
			o.next(t, r, 1)
			if err := f.registry.Drain(t.Context(), time.Millisecond); err != nil {
				t.Fatal(err)
			}
			o.next(t, r, 1)
			return o, r
		})
		f.registry.Refuse()
		lasts("at its beginning", func() (*opened, *reader) {
			o, r := f.open(w, "/events"), &reader{}
			if got := o.next(t, r, 1)[0]; got.kind != "busy" {
				t.Fatalf("got %q, want busy", got.kind)
			}
			return o, r
		})
	})
}
