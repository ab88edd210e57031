package logtest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"proofstream/stream"
)

// again appends with a key that the log should know.
func again(t *testing.T, l stream.Log, site, key string, want stream.ID) {
	t.Helper()
	id, duplicate, err := l.Append(deadline(t), site, stream.Entry{Kind: stream.Retract, Data: []byte(`{"again":1}`), Key: key})
	if err != nil || !duplicate || id != want {
		t.Errorf("key %q again: %v, duplicate %v, %v; want %v, true", key, id, duplicate, err, want)
	}
	if id, err := l.Find(deadline(t), site, key); err != nil || id != want {
		t.Errorf("find key %q: %v, %v; want %v", key, id, err, want)
	}
}

func withKey(key string) stream.Entry { return stream.Entry{Data: []byte(`{"first":1}`), Key: key} }

func keys(t *testing.T, f Fixture) {
	first := mustAppend(t, f.Log, "a", withKey("k"))
	again(t, f.Log, "a", "k", first)
	mustAppend(t, f.Log, "b", withKey("k"))
	mustAppend(t, f.Log, "a", withKey("K"))
	mustAppend(t, f.Log, "a", withKey(""))
	mustAppend(t, f.Log, "a", withKey(""))
	again(t, f.Log, "a", "k", first)
	events := all(t, f.Log, "a")
	if len(events) != 4 || string(events[0].Data) != `{"first":1}` || events[0].Kind != stream.Announce {
		t.Errorf("site a holds %+v; want 4 events, the first one as it was", events)
	}
	if _, err := f.Log.Find(deadline(t), "b", "K"); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("find the key of another site: %v; want ErrNotFound", err)
	}
	for range 2 { // a Find must not make the key known
		if _, err := f.Log.Find(deadline(t), "a", "new"); !errors.Is(err, stream.ErrNotFound) {
			t.Errorf("find a key that was never given: %v; want ErrNotFound", err)
		}
	}
	mustAppend(t, f.Log, "a", withKey("new"))
	_, _, err := f.Log.Append(deadline(t), "a", withKey(strings.Repeat("k", 161)))
	wantMistake(t, "append with a key of 161 bytes", err)
}

// similarKeys would catch a key that is trimmed, or that means something to the store.
func similarKeys(t *testing.T, f Fixture) {
	ids := map[string]stream.ID{}
	for _, key := range []string{"k", " k", "k ", "  k", "k:k", ": k", "k/k", `"`, "~", "*", "a.b", "'; --", strings.Repeat("k", 160), strings.Repeat("k", 159)} {
		ids[key] = mustAppend(t, f.Log, "a", withKey(key))
	}
	for key, id := range ids {
		again(t, f.Log, "a", key, id)
	}
}

func racingKeys(t *testing.T, f Fixture) {
	const writers, rounds = 8, 20
	var ids [writers][rounds]stream.ID
	var firsts [writers]int
	var wg sync.WaitGroup
	ctx := deadline(t)
	for w := range writers {
		wg.Go(func() {
			for r := range rounds {
				id, duplicate, err := f.Log.Append(ctx, "a", withKey(fmt.Sprint(r)))
				if err != nil {
					t.Error(err)
				}
				if ids[w][r] = id; !duplicate {
					firsts[w]++
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for w := range writers {
		if total += firsts[w]; ids[w] != ids[0] {
			t.Errorf("writer %d got %v, writer 0 %v", w, ids[w], ids[0])
		}
	}
	if n := len(all(t, f.Log, "a")); n != rounds || total != rounds {
		t.Errorf("%d events, %d appends that were no duplicate; want %d", n, total, rounds)
	}
}

func keyOfErased(t *testing.T, f Fixture) {
	first := mustAppend(t, f.Log, "a", withKey("k"))
	mustAppend(t, f.Log, "a", entry("Ada"))
	mustErase(t, f.Log, "a", first.Seq)
	again(t, f.Log, "a", "k", first)
	mustErase(t, f.Log, "a", first.Seq)
	again(t, f.Log, "a", "k", first)
	if n := len(all(t, f.Log, "a")); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}
