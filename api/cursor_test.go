package api

import (
	"slices"
	"strings"
	"testing"
)

// The opening frame has the resume result of the cursor, and the kept events follow it.
func TestOpeningFrameHasTheResultOfEveryCursor(t *testing.T) {
	tests := []struct {
		name   string
		cursor string // EPOCH stands for the log's
		query  string
		replay string
		want   []int // of the signups 0 to 14, the newest ten of which are kept
	}{
		{"no cursor", "", "", `{"replay":"fresh",`, nil},
		{"no cursor, with recent events", "", "recent=2", `{"replay":"fresh",`, []int{13, 14}},
		{"a kept event", "EPOCH-13", "", `{"replay":"complete",`, []int{13, 14}},
		{"a kept event, whatever recent says", "EPOCH-13", "recent=20", `{"replay":"complete",`, []int{13, 14}},
		{"the newest event", "EPOCH-15", "", `{"replay":"complete",`, nil},
		{"just before the oldest kept event", "EPOCH-5", "", `{"replay":"complete",`, []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 14}},
		{"one before that", "EPOCH-4", "", `{"replay":"gap","reason":"expired",`, []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 14}},
		{"the beginning of the log", "EPOCH-0", "recent=1", `{"replay":"gap","reason":"expired",`, []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 14}},
		{"another log's epoch", "zz9-3", "", `{"replay":"gap","reason":"epoch",`, []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 14}},
		{"beyond the newest", "EPOCH-9999", "", `{"replay":"gap","reason":"ahead",`, nil},
		{"beyond the newest, with recent events", "EPOCH-9999", "recent=1", `{"replay":"gap","reason":"ahead",`, []int{14}},
		{"no id at all, with recent events", "garbage", "recent=3", `{"replay":"gap","reason":"malformed",`, []int{12, 13, 14}},
		{"a semicolon after an id", "EPOCH-13;x", "", `{"replay":"gap","reason":"malformed",`, nil},
		{"a broken escape", "%zz", "", `{"replay":"gap","reason":"malformed",`, nil},
		{"a NUL", "%00", "", `{"replay":"gap","reason":"malformed",`, nil},
		{"a leading zero", "EPOCH-01", "", `{"replay":"gap","reason":"malformed",`, nil},
		{"a sequence of more than 64 bits", "EPOCH-18446744073709551616", "", `{"replay":"gap","reason":"malformed",`, nil},
		{"5,000 digits", strings.Repeat("9", 5000), "", `{"replay":"gap","reason":"malformed",`, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := serve(t, func(o *setup) { o.sqlite.Limits.Events = 10 })
			ids := h.postSome(t, 15)
			epoch, _, _ := strings.Cut(ids[0], "-")
			var want []string
			for _, i := range test.want {
				want = append(want, ids[i])
			}
			c := h.open(t, "/events?"+test.query+"&last_event_id="+strings.Replace(test.cursor, "EPOCH", epoch, 1))
			opening := c.next(t, 1)[0]
			if c.StatusCode != 200 || !strings.HasPrefix(opening.Data, test.replay) {
				t.Errorf("got %d and %s, want %s", c.StatusCode, opening.Data, test.replay)
			}
			got := idsOf(c.next(t, len(want)))
			want = append(want, h.post(t, `{"user_name":"live"}`))
			if got = append(got, idsOf(c.next(t, 1))...); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestCursorIsReadFromHeaderThenQuery(t *testing.T) {
	h := serve(t)
	ids := h.postSome(t, 3)
	tests := []struct {
		name, query, header, want string
	}{
		{"the documented name", "last_event_id=" + ids[0], "", ids[0]},
		{"the name of a polyfill", "lastEventId=" + ids[0], "", ids[0]},
		{"the header's name", "Last-Event-ID=" + ids[0], "", ids[0]},
		{"the header wins", "last_event_id=" + ids[0], ids[1], ids[1]},
		{"an empty one is absent", "last_event_id=&lastEventId=" + ids[1], "", ids[1]},
		{"of two the newest: a polyfill adds its own", "last_event_id=" + ids[0] + "&lastEventId=" + ids[1], "", ids[1]},
		{"of two the newest, in either order", "last_event_id=" + ids[1] + "&lastEventId=" + ids[0], "", ids[1]},
		{"of three the newest that is valid", "last_event_id=" + ids[0] + "&last_event_id=" + ids[1] + "&Last-Event-ID=garbage", "", ids[1]},
		{"the valid one", "last_event_id=garbage&lastEventId=" + ids[0], "", ids[0]},
		{"the one of this log, after data was lost", "last_event_id=zz-9&lastEventId=" + ids[0] + "&site=default", "", ids[0]},
		{"the header wins over two", "last_event_id=" + ids[0] + "&lastEventId=" + ids[1], ids[2], ids[2]},
		{"nothing", "last_event_id=", "", ""},
	}
	for _, test := range tests {
		got := h.open(t, "/events?"+test.query, "Last-Event-ID: "+test.header).next(t, 1)[0]
		fresh := strings.Contains(got.Data, `"fresh"`)
		if fresh != (test.want == "") || !fresh && got.ID != test.want {
			t.Errorf("%s: got %s at %s, want to go on from %q", test.name, got.Data, got.ID, test.want)
		}
	}
}
