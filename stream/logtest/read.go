package logtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"proofstream/stream"
)

func readPages(t *testing.T, f Fixture) {
	for i := range 20 {
		mustAppend(t, f.Log, []string{"a", "b"}[i%2], stream.Entry{Kind: stream.Kind(i / 2 % 2), Data: fmt.Append(nil, i)})
	}
	for after := range uint64(12) {
		for _, max := range []int{0, 1, 3, 10, 1000} {
			page, b, err := f.Log.Read(within(t), "a", after, max)
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
	if page, _, err := f.Log.Read(within(t), "a", 1<<62, 10); err != nil || len(page) != 0 {
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
		page, b, err := f.Log.Latest(within(t), "a", tt.before, tt.max)
		if err != nil || b.High != 20 || b.Signups != 9 {
			t.Errorf("latest before %d: %+v, %v", tt.before, b, err)
		}
		wantSequences(t, fmt.Sprintf("latest before %d, max %d", tt.before, tt.max), sequences(page), tt.want)
	}
}

// reference is the log in its simplest form.
type reference struct {
	kept    []uint64
	kinds   map[uint64]stream.Kind
	high    uint64
	removed uint64 // by retention, up to here
}

func (r *reference) append(kind stream.Kind, limit int) {
	r.high++
	r.kept, r.kinds[r.high] = append(r.kept, r.high), kind
	if len(r.kept) > limit {
		r.removed, r.kept = r.kept[0], r.kept[1:]
	}
}

func (r *reference) signups() (seqs []uint64) {
	for _, seq := range r.kept {
		if r.kinds[seq] == stream.Announce {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// holds compares bounds. An erasure at the oldest end may move the low watermark, up to what is kept.
func (r *reference) holds(t *testing.T, b stream.Bounds) {
	t.Helper()
	oldest := r.high + 1
	if len(r.kept) > 0 {
		oldest = r.kept[0]
	}
	if b.High != r.high || b.Signups != len(r.signups()) || b.Low <= r.removed || b.Low > oldest || len(r.kept) == 0 && b.Low != oldest {
		t.Fatalf("bounds %+v; want high %d, %d signups, low in %d..%d (%d events)", b, r.high, len(r.signups()), r.removed+1, oldest, len(r.kept))
	}
}

// model would catch a reader that trips over what erasures and retention leave, at the edges of the log or of a page.
func model(t *testing.T, f Fixture) {
	r := rand.New(rand.NewPCG(1, 2))
	sites := []string{"a", "b"}
	limit := bounds(t, f.Log, "a").Limits.Events
	refs := map[string]*reference{}
	for _, site := range sites {
		refs[site] = &reference{kinds: map[uint64]stream.Kind{}}
	}
	for range 300 {
		site := sites[r.IntN(len(sites))]
		ref := refs[site]
		switch {
		case r.IntN(3) > 0 || len(ref.kept) == 0:
			kind := stream.Kind(r.IntN(2))
			mustAppend(t, f.Log, site, stream.Entry{Kind: kind, Data: []byte("{}")})
			ref.append(kind, limit)
		case r.IntN(3) > 0:
			i := r.IntN(len(ref.kept)) * r.IntN(2) // the oldest as often as any
			mustErase(t, f.Log, site, ref.kept[i])
			ref.kept = slices.Delete(ref.kept, i, i+1)
		default:
			ref.readSome(t, f.Log, site, r)
		}
		ref.holds(t, bounds(t, f.Log, site))
	}
	for site, ref := range refs {
		wantSequences(t, "site "+site, sequences(all(t, f.Log, site)), ref.kept)
	}
}

func (r *reference) readSome(t *testing.T, l stream.Log, site string, random *rand.Rand) {
	t.Helper()
	from, max := random.Uint64N(r.high+2), 1+random.IntN(10)
	page, b, err := l.Read(within(t), site, from, max)
	if err != nil {
		t.Fatal(err)
	}
	i, _ := slices.BinarySearch(r.kept, from+1)
	wantSequences(t, fmt.Sprintf("read %s after %d, max %d", site, from, max), sequences(page), r.kept[i:min(i+max, len(r.kept))])
	r.holds(t, b)
	page, b, err = l.Latest(within(t), site, from, max)
	if err != nil {
		t.Fatal(err)
	}
	signups := r.signups()
	if i, _ = slices.BinarySearch(signups, from); from == 0 {
		i = len(signups)
	}
	want := slices.Clone(signups[:i])
	slices.Reverse(want)
	wantSequences(t, fmt.Sprintf("latest %s before %d, max %d", site, from, max), sequences(page), want[:min(max, len(want))])
	r.holds(t, b)
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
	mustErase(t, f.Log, "nobody", 1)
	wantSequences(t, "read", sequences(all(t, f.Log, "a")), []uint64{2, 4})
	wantSequences(t, "follow", sequences(follow(t, f.Log, "a", 0, 2)), []uint64{2, 4})
	wantSequences(t, "other site", sequences(all(t, f.Log, "b")), []uint64{1, 2, 3, 4, 5})
	newest, _, err := f.Log.Latest(within(t), "a", 0, 9)
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
