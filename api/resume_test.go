package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Each byte of a recorded stream is a place where a connection can break.
func TestCutAtEveryByte(t *testing.T) {
	for _, w := range []way{ways[1], ways[3]} { // HTTP/1.0 has the bytes as they are
		t.Run(w.name, func(t *testing.T) {
			f := serve(t, func(o *setup) { o.api.Flush = w.flush })
			opening := f.open(w, "/events").next(t, &reader{}, 1)[0]
			want := f.postSome(3)
			from := "/events?last_event_id=" + opening.id
			whole := 0
			for _, e := range f.open(w, from).next(t, &reader{}, 4) {
				whole += len(e.frame)
			}
			for k := range whole + 1 {
				r := &reader{lastID: opening.id, id: opening.id}
				var got []string
				o := f.open(w, from)
				got = append(got, o.readBytes(t, r, k)...)
				o.cut()
				if r.lastID != want[2] {
					last := f.open(w, "/events", "Last-Event-ID: "+r.lastID)
					for r = (&reader{lastID: r.lastID, id: r.lastID}); r.lastID != want[2]; {
						if e := last.next(t, r, 1)[0]; e.kind == "signup" {
							got = append(got, e.id)
						}
					}
					last.cut()
				}
				if !slices.Equal(got, want) {
					t.Fatalf("cut after %d of %d bytes: got %q, want %q", k, whole, got, want)
				}
			}
		})
	}
}

// readBytes reads no more than n bytes, as the client of a connection that breaks there, and returns the ids of the
// signups among them.
func (o *opened) readBytes(t *testing.T, r *reader, n int) (ids []string) {
	t.Helper()
	var line []byte
	for range n {
		b, err := o.lines.ReadByte()
		if err != nil {
			t.Fatal(err)
		}
		if line = append(line, b); b != '\n' {
			continue
		}
		if e, ok := r.line(string(line)); ok && e.kind == "signup" {
			ids = append(ids, e.id)
		}
		line = nil
	}
	return ids
}

func TestOnlyReadyWasSeen(t *testing.T) {
	f := serve(t)
	f.postSome(1)
	r := &reader{}
	o := f.open(ways[0], "/events")
	o.next(t, r, 1)
	o.cut()
	want := f.postSome(7)
	again := f.open(ways[0], "/events", "Last-Event-ID: "+r.lastID).next(t, &reader{}, 8)
	if got := idsOf(again[1:]); !slices.Equal(got, want) || !strings.Contains(again[0].data, `"replay":"complete"`) {
		t.Errorf("got %q after %q, want %q", got, again[0].data, want)
	}
}

// A connection that ends right after its opening frame, or in mid-replay, again and again, loses nothing: the id
// in ready is never ahead of what was sent.
func TestReadyIsNeverAhead(t *testing.T) {
	f := serve(t)
	start := f.open(ways[0], "/events").next(t, &reader{}, 1)[0].id
	want := f.postSome(200) // more than a channel holds
	for _, query := range []string{"?", "?recent=20&"} {
		var got []string
		for last, n := start, 1; len(got) < len(want); n++ {
			r := &reader{lastID: last, id: last}
			o := f.open(ways[0], "/events"+query+"last_event_id="+last)
			for _, e := range o.next(t, r, min(1+n%5*3, 1+len(want)-len(got))) {
				if e.kind == "signup" {
					got = append(got, e.id)
				}
			}
			o.cut()
			last = r.lastID
		}
		if !slices.Equal(got, want) {
			t.Errorf("with %s: got %q, want %q", query, got, want)
		}
	}
}

func TestRecentEventsAreNotLostByACutAfterReady(t *testing.T) {
	f := serve(t)
	want := f.postSome(5)
	r := &reader{}
	o := f.open(ways[0], "/events?recent=3")
	o.next(t, r, 1)
	o.cut()
	got := idsOf(f.open(ways[0], "/events?recent=3", "Last-Event-ID: "+r.lastID).next(t, &reader{}, 4)[1:])
	if !slices.Equal(got, want[2:]) {
		t.Errorf("got %q, want %q", got, want[2:])
	}
}

func TestEveryCursorIsAnsweredInTheOpeningFrame(t *testing.T) {
	tests := []struct {
		cursor string // EPOCH stands for the log's
		query  string
		replay string
		want   []int // of the signups 0 to 14, the newest ten of which are kept
	}{
		{"", "", `{"replay":"fresh",`, nil},
		{"", "recent=2", `{"replay":"fresh",`, []int{13, 14}},
		{"EPOCH-13", "", `{"replay":"complete",`, []int{13, 14}},
		{"EPOCH-13", "recent=20", `{"replay":"complete",`, []int{13, 14}},
		{"EPOCH-15", "", `{"replay":"complete",`, nil},
		{"EPOCH-5", "", `{"replay":"complete",`, []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 14}},
		{"EPOCH-4", "", `{"replay":"gap","reason":"expired",`, []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 14}},
		{"EPOCH-0", "recent=1", `{"replay":"gap","reason":"expired",`, []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 14}},
		{"zz9-3", "", `{"replay":"gap","reason":"epoch",`, []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 14}},
		{"EPOCH-9999", "", `{"replay":"gap","reason":"ahead",`, nil},
		{"EPOCH-9999", "recent=1", `{"replay":"gap","reason":"ahead",`, []int{14}},
		{"garbage", "recent=3", `{"replay":"gap","reason":"malformed",`, []int{12, 13, 14}},
		{"EPOCH-13;x", "", `{"replay":"gap","reason":"malformed",`, nil},
		{"%zz", "", `{"replay":"gap","reason":"malformed",`, nil},
		{"%00", "", `{"replay":"gap","reason":"malformed",`, nil},
		{"EPOCH-01", "", `{"replay":"gap","reason":"malformed",`, nil},
		{"EPOCH-18446744073709551616", "", `{"replay":"gap","reason":"malformed",`, nil},
		{strings.Repeat("9", 5000), "", `{"replay":"gap","reason":"malformed",`, nil},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%.20s %s", test.cursor, test.query), func(t *testing.T) {
			f := serve(t, func(o *setup) { o.log.Limits.Events = 10 })
			ids := f.postSome(15)
			epoch, _, _ := strings.Cut(ids[0], "-")
			var want []string
			for _, i := range test.want {
				want = append(want, ids[i])
			}
			o, r := f.open(ways[0], "/events?"+test.query+"&last_event_id="+strings.Replace(test.cursor, "EPOCH", epoch, 1)), &reader{}
			opening := o.next(t, r, 1)[0]
			if o.StatusCode != 200 || !strings.HasPrefix(opening.data, test.replay) {
				t.Errorf("got %d and %s, want %s", o.StatusCode, opening.data, test.replay)
			}
			got := idsOf(o.next(t, r, len(want)))
			want = append(want, f.post(`{"user_name":"live"}`))
			if got = append(got, idsOf(o.next(t, r, 1))...); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestCursorIsReadFromHeaderThenQuery(t *testing.T) {
	f := serve(t)
	ids := f.postSome(3)
	tests := []struct {
		query, header, want string
	}{
		{"last_event_id=" + ids[0], "", ids[0]},
		{"lastEventId=" + ids[0], "", ids[0]},
		{"Last-Event-ID=" + ids[0], "", ids[0]},
		{"last_event_id=" + ids[0], ids[1], ids[1]},
		{"last_event_id=&lastEventId=" + ids[1], "", ids[1]},
		{"last_event_id=" + ids[0] + "&lastEventId=" + ids[1], "", ids[1]}, // a polyfill's own comes second
		{"last_event_id=" + ids[1] + "&lastEventId=" + ids[0], "", ids[1]},
		{"last_event_id=" + ids[0] + "&last_event_id=" + ids[1] + "&Last-Event-ID=garbage", "", ids[1]},
		{"last_event_id=garbage&lastEventId=" + ids[0], "", ids[0]},
		{"last_event_id=zz-9&lastEventId=" + ids[0] + "&site=default", "", ids[0]}, // from before the data was lost
		{"last_event_id=" + ids[0] + "&lastEventId=" + ids[1], ids[2], ids[2]},
		{"last_event_id=", "", ""},
	}
	for _, test := range tests {
		headers := []string{"Last-Event-ID: " + test.header}
		got := f.open(ways[0], "/events?"+test.query, headers...).next(t, &reader{}, 1)[0]
		fresh := strings.Contains(got.data, `"fresh"`)
		if fresh != (test.want == "") || !fresh && got.id != test.want {
			t.Errorf("%s and %q: got %s at %s, want to go on from %q", test.query, test.header, got.data, got.id, test.want)
		}
	}
}

func idsOf(events []event) (ids []string) {
	for _, e := range events {
		ids = append(ids, e.id)
	}
	return ids
}
