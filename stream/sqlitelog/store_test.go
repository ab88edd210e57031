package sqlitelog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/waitfor"
)

func mustAppend(t testing.TB, l stream.Log, site, text, key string) stream.ID {
	t.Helper()
	id, _, err := l.Append(t.Context(), site, stream.Entry{Data: []byte(text), Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func mustBounds(t testing.TB, l stream.Log, site string) stream.Bounds {
	t.Helper()
	b, err := l.Bounds(t.Context(), site)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// holding returns the files below dir that hold a text.
func holding(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			names = append(names, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestGroupCommit would catch an fsync for each append.
func TestGroupCommit(t *testing.T) {
	l := run(t, Options{Dir: t.TempDir(), Sites: []string{"a"}})
	const publishers, each = 16, 50
	before := readRecord(l.lock).tx
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				mustAppend(t, l, "a", "{}", fmt.Sprint(p, "/", i))
			}
		})
	}
	wg.Wait()
	if commits := readRecord(l.lock).tx - before; commits > publishers*each/2 {
		t.Errorf("%d appends of %d publishers took %d commits; want at most half as many", publishers*each, publishers, commits)
	}
}

// TestClockSetBack would catch a log that waits for the clock, or whose events expire too early or never.
func TestClockSetBack(t *testing.T) {
	l := New(Options{Dir: t.TempDir(), Limits: stream.Limits{Age: time.Hour}})
	var mu sync.Mutex
	offset := time.Duration(0)
	l.now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(offset)
	}
	set := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		offset = d
	}
	runLog(t, l)
	mustAppend(t, l, "a", "{}", "k1")
	set(-30 * time.Minute)
	mustAppend(t, l, "a", "{}", "k2")
	if events, _, err := l.Read(t.Context(), "a", 0, 10); err != nil || len(events) != 2 || !events[1].Time.Before(events[0].Time) {
		t.Errorf("events after the clock was set back: %+v, %v", events, err)
	}
	set(61 * time.Minute)
	waitfor.Fact(t, "both expire by the clock", func() bool { return mustBounds(t, l, "a").Low == 3 })
	waitfor.Fact(t, "their keys are forgotten", func() bool {
		_, err1 := l.Find(t.Context(), "a", "k1")
		_, err2 := l.Find(t.Context(), "a", "k2")
		return errors.Is(err1, stream.ErrNotFound) && errors.Is(err2, stream.ErrNotFound)
	})
}

// TestKeysAreForgottenAfterAnHour checks both ways in which an event can go before its key.
func TestKeysAreForgottenAfterAnHour(t *testing.T) {
	l := New(Options{Dir: t.TempDir(), Limits: stream.Limits{Events: 2}})
	var ahead time.Duration
	var mu sync.Mutex
	l.now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(ahead)
	}
	runLog(t, l)
	for i := range 4 {
		mustAppend(t, l, "a", "{}", fmt.Sprint(i)) // retention removes 0 and 1
	}
	if err := l.Erase(t.Context(), "a", 3); err != nil { // of key 2
		t.Fatal(err)
	}
	remembered := func(key string) bool {
		_, err := l.Find(t.Context(), "a", key)
		return err == nil
	}
	for i := range 4 {
		if !remembered(fmt.Sprint(i)) {
			t.Errorf("key %d is forgotten within the hour", i)
		}
	}
	mu.Lock()
	ahead = 61 * time.Minute
	mu.Unlock()
	waitfor.Fact(t, "the keys of events that are gone are forgotten", func() bool { return !remembered("0") && !remembered("1") && !remembered("2") })
	if !remembered("3") {
		t.Error("the key of a kept event is forgotten")
	}
}

// TestManySites would catch work for each commit that grows with the number of sites.
func TestManySites(t *testing.T) {
	dir := t.TempDir()
	var names []string
	for i := range 500 {
		names = append(names, fmt.Sprint("site-", i))
	}
	l := run(t, Options{Dir: dir, Sites: names})
	for _, name := range names {
		mustAppend(t, l, name, "{}", "")
	}
	l.stop()
	begin := time.Now()
	l = run(t, Options{Dir: dir, Sites: names})
	t.Logf("opened 500 sites in %v", time.Since(begin))
	for _, name := range names {
		if b := mustBounds(t, l, name); b.High != 1 || b.Signups != 1 {
			t.Fatalf("bounds of %s: %+v", name, b)
		}
	}
}
