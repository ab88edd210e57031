package natslog

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLossWindowIsTheDuration measures, with a duration instead of syncing always, how long each event is
// acknowledged and not yet on disk, and cuts the power meanwhile: what comes back is what was written first, each
// event as it was under its id, and whoever has seen what is lost is told of a gap.
func TestLossWindowIsTheDuration(t *testing.T) {
	base := t.TempDir()
	p := plan{Dir: filepath.Join(base, "data"), Fsync: time.Second, Name: "window", Events: 60, Size: 500, Pause: 60 * time.Millisecond}
	first := opened(t, Options{Dir: p.Dir, Fsync: p.Fsync, Retain: 1e6}) // so that the epoch that is traced is not the first
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	r := &replay{t: t, base: base, disk: loadDisk(t, base)}
	calls := trace(t, p, enough)
	c := newCutter(t, r, p)
	c.expect(calls, 10)
	w := &window{r: r, p: p, told: map[string]time.Duration{}, kept: map[string]time.Duration{}, read: map[*inode]int{}}
	r.kept = w.keep
	r.told = func(at time.Duration, line string) {
		if words := strings.Fields(line); words[0] == "+" {
			w.told[words[3]] = at
		}
		c.told(at, line)
	}
	r.run(calls)
	r.check(r.disk.root, base)
	c.summary()

	all := w.durations(calls[len(calls)-1].at)
	median, longest := all[len(all)/2], all[len(all)-1]
	t.Logf("%d events, %d seen to reach the disk; from acknowledgement to disk: median %v, longest %v",
		len(all), len(w.kept), median.Round(time.Millisecond), longest.Round(time.Millisecond))
	if limit := p.Fsync + busy; longest > limit {
		t.Errorf("an event was not on disk %v after its acknowledgement, want at most %v", longest, limit)
	}
	if median < p.Fsync/10 || len(w.kept) < len(all)/2 {
		t.Error("events were on disk at once, or never: this measured nothing")
	}
}

// busy is how late a timer and an fsync may be on a machine that has other things to do.
const busy = 3 * time.Second

// TestLossBetweenTwoFiles cuts the power after the log went on to a new file, when any part of that may be on disk: it
// must not be there without the end of the one before.
func TestLossBetweenTwoFiles(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	p := plan{Dir: filepath.Join(base, "data"), Fsync: time.Hour, Name: "between", Events: 375, Size: 6000}
	r := &replay{t: t, base: base, disk: loadDisk(t, base)}
	calls := trace(t, p, enough)
	c := newCutter(t, r, p)
	r.told = func(_ time.Duration, line string) {
		if c.got.take(t, line); c.blocks() == 2 && line[0] == '+' && c.cuts < 10 {
			c.cut(c.chance)
		}
	}
	r.run(calls)
	if c.cuts < 10 {
		t.Errorf("only %d power cuts: this proved little", c.cuts)
	}
}

// TestOrderlyEndIsOnDisk cuts the power right after a log was closed that syncs each hour.
func TestOrderlyEndIsOnDisk(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	p := plan{Dir: filepath.Join(base, "data"), Fsync: time.Hour, Name: "closed", Events: 20, Size: 5000, Close: true}
	r := &replay{t: t, base: base, disk: loadDisk(t, base)}
	calls := trace(t, p, enough)
	c := newCutter(t, r, p)
	closed := false
	r.told = func(_ time.Duration, line string) {
		if c.got.take(t, line); line == "done" {
			c.cut(nil)
			c.cut(c.chance)
			closed = true
		}
	}
	r.run(calls)
	if !closed || len(c.got.stored) != writers*p.Events {
		t.Errorf("%d events were acknowledged, closed %v", len(c.got.stored), closed)
	}
}

// window knows when each event was acknowledged, and when it was on disk.
type window struct {
	r          *replay
	p          plan
	told, kept map[string]time.Duration
	read       map[*inode]int // how much of a file was looked at
}

var eventText = regexp.MustCompile(`[a-z]+/\d+/\d+;`)

// keep notes what an fsync has added to files whose names are on disk.
func (w *window) keep(at time.Duration, _ *inode) {
	path, err := filepath.Rel(w.r.base, filepath.Join(w.p.Dir, "jetstream/$G/streams/proofstream/msgs"))
	if err != nil {
		w.r.t.Fatal(err)
	}
	dir := w.r.disk.root
	for _, name := range strings.Split(path, "/") {
		if dir = dir.keptNames[name]; dir == nil {
			return
		}
	}
	for name, n := range dir.keptNames {
		if !strings.HasSuffix(name, ".blk") || len(n.kept) == w.read[n] {
			continue
		}
		for _, text := range eventText.FindAllString(string(n.kept[w.read[n]:]), -1) {
			if _, ok := w.kept[text]; !ok {
				w.kept[text] = at
			}
		}
		w.read[n] = len(n.kept)
	}
}

// durations returns how long each event was acknowledged and not on disk, the shortest first; of one that never came
// there, until the end.
func (w *window) durations(end time.Duration) (all []time.Duration) {
	for text, told := range w.told {
		kept, ok := w.kept[text]
		if !ok {
			kept = end
		}
		all = append(all, max(kept-told, 0))
	}
	slices.Sort(all)
	return all
}
