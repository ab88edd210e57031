package logtest

import (
	"fmt"
	"testing"

	"proofstream/stream"
)

func readPages(t *testing.T, f Fixture) {
	for i := range 20 {
		mustAppend(t, f.Log, []string{"a", "b"}[i%2], stream.Entry{Kind: stream.Kind(i / 2 % 2), Data: fmt.Append(nil, i)})
	}
	for after := range uint64(12) {
		for _, max := range []int{0, 1, 3, 10, 1000} {
			page, b, err := f.Log.Read(deadline(t), "a", after, max)
			if err != nil {
				t.Fatal(err)
			}
			want := []uint64{}
			for seq := after + 1; seq <= 10 && len(want) < max; seq++ {
				want = append(want, seq)
			}
			wantSequences(t, fmt.Sprintf("read after %d, max %d", after, max), sequences(page), want)
			if b.Low != 1 || b.High != 10 || b.Signups != 5 || len(b.Epochs) == 0 {
				t.Errorf("bounds of a read: %+v", b)
			}
		}
	}
	if page, _, err := f.Log.Read(deadline(t), "a", 1<<62, 10); err != nil || len(page) != 0 {
		t.Errorf("read far beyond the newest: %v, %v", page, err)
	}
}

func latest(t *testing.T, f Fixture) {
	for i := range 20 { // signups are 1, 3, 5 …
		mustAppend(t, f.Log, "a", stream.Entry{Kind: stream.Kind(i % 2), Data: []byte("{}")})
	}
	mustErase(t, f.Log, "a", 17)
	for _, tt := range []struct {
		before uint64
		max    int
		want   []uint64
	}{
		{0, 3, []uint64{19, 15, 13}},
		{0, 0, nil},
		{1 << 62, 1, []uint64{19}},
		{19, 2, []uint64{15, 13}},
		{6, 10, []uint64{5, 3, 1}},
		{1, 10, nil},
	} {
		page, b, err := f.Log.Latest(deadline(t), "a", tt.before, tt.max)
		if err != nil || b.High != 20 || b.Signups != 9 {
			t.Errorf("latest before %d: %+v, %v", tt.before, b, err)
		}
		wantSequences(t, fmt.Sprintf("latest before %d, max %d", tt.before, tt.max), sequences(page), tt.want)
	}
}

func erase(t *testing.T, f Fixture) {
	fill(t, f.Log, "a", 5)
	fill(t, f.Log, "b", 5)
	for _, seq := range []uint64{3, 5, 1} { // middle, newest, oldest
		for range 2 { // again is no error
			mustErase(t, f.Log, "a", seq)
		}
	}
	mustErase(t, f.Log, "a", 1<<39)
	mustErase(t, f.Log, "new", 1)
	wantSequences(t, "read", sequences(all(t, f.Log, "a")), []uint64{2, 4})
	wantSequences(t, "follow", sequences(follow(t, f.Log, "a", 0, 2)), []uint64{2, 4})
	wantSequences(t, "other site", sequences(all(t, f.Log, "b")), []uint64{1, 2, 3, 4, 5})
	newest, _, err := f.Log.Latest(deadline(t), "a", 0, 9)
	if err != nil {
		t.Fatal(err)
	}
	wantSequences(t, "latest", sequences(newest), []uint64{4, 2})
	if b := bounds(t, f.Log, "a"); b.High != 5 || b.Signups != 2 || b.Low > 2 || b.Low < 1 {
		t.Errorf("bounds %+v; want high 5, low 1 or 2, 2 signups", b)
	}
	if id := mustAppend(t, f.Log, "a", entry("Ada")); id.Seq != 6 {
		t.Errorf("after the newest was erased, the next sequence is %d, want 6", id.Seq)
	}
	for _, seq := range []uint64{2, 4, 6} {
		mustErase(t, f.Log, "a", seq)
	}
	if b := bounds(t, f.Log, "a"); b.High != 6 || b.Low != 7 || b.Signups != 0 {
		t.Errorf("bounds of an emptied log %+v; want low 7, high 6", b)
	}
}
