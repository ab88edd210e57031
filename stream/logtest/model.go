package logtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"proofstream/stream"
)

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
	page, b, err := l.Read(deadline(t), site, from, max)
	if err != nil {
		t.Fatal(err)
	}
	i, _ := slices.BinarySearch(r.kept, from+1)
	wantSequences(t, fmt.Sprintf("read %s after %d, max %d", site, from, max), sequences(page), r.kept[i:min(i+max, len(r.kept))])
	r.holds(t, b)
	page, b, err = l.Latest(deadline(t), site, from, max)
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
