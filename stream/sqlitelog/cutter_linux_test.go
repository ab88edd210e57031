package sqlitelog

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"proofstream/stream"
)

// cutter cuts the power at some of the moments of a replay.
type cutter struct {
	t       *testing.T
	plan    plan
	replay  *replay
	chance  *rand.Rand
	long    bool
	moments map[string]int // by kind
	cuts    int
	slowest time.Duration

	// What the writer has reported so far.
	stored  map[place]reported
	gone    map[place]string // being erased, or erased, with the text
	erased  int
	refused []string
}

type place struct {
	site string
	seq  uint64
}

type reported struct {
	id   stream.ID
	text string
}

func newCutter(t *testing.T, p plan) *cutter {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	base := t.TempDir()
	p.Dir = filepath.Join(base, "new", "data")
	c := &cutter{t: t, plan: p, chance: chance, long: os.Getenv("PROOF_TEST_LONG") != "", moments: map[string]int{}, stored: map[place]reported{}, gone: map[place]string{}}
	c.replay = &replay{t: t, base: base, disk: &disk{root: newDirectory(), chance: chance}, reported: c.reported, changed: c.changed}
	return c
}

// run has a writer do as planned, and cuts.
func (c *cutter) run(strace ...string) {
	c.t.Helper()
	c.replay.run(trace(c.t, c.plan, strace...))
	c.replay.check(c.replay.disk.root, c.replay.base)
}

func (c *cutter) end(proved func(moments map[string]int) bool) {
	c.t.Helper()
	if !proved(c.moments) || c.cuts*raceCost < 12 { // about a hundred are usual; one run in seventy had less than 30
		c.t.Errorf("%d cuts at moments %v: this proved little", c.cuts, c.moments)
	}
	c.t.Logf("%d power cuts while %d events were acknowledged, %d erased, %d syncs failed, %d refusals; slowest check %v",
		c.cuts, len(c.stored), c.erased, c.replay.failed, len(c.refused), c.slowest)
}

func (c *cutter) reported(line string) {
	f := strings.Fields(line)
	at := place{}
	if len(f) > 2 {
		at.site = f[1]
		fmt.Sscan(f[2], &at.seq)
	}
	switch f[0] {
	case "+":
		id, err := stream.ParseID(f[2])
		if err != nil {
			c.t.Fatalf("writer printed %q", line)
		}
		at.seq = id.Seq
		if was, ok := c.stored[at]; ok && was != (reported{id, f[3]}) {
			c.t.Errorf("%v was reported as %v and as %v %s", at, was, id, f[3])
		}
		c.stored[at] = reported{id, f[3]}
	case "?":
		c.gone[at] = ""
	case "-":
		c.gone[at] = f[3]
		c.erased++
	case "!":
		c.refused = append(c.refused, line)
	}
	c.changed("reported " + f[0])
}

// changed cuts the power, the less often the more often the kind of moment was there, and less often
// under the race detector, which makes SQLite fifteen times slower.
func (c *cutter) changed(kind string) {
	c.moments[kind]++
	n := c.moments[kind]
	if c.long || c.chance.IntN(2*n*raceCost) < 1+n/50 {
		c.cut(kind, c.chance.IntN(5))
	}
}

// cut checks what is left after a power cut at this moment.
func (c *cutter) cut(kind string, odds int) {
	c.t.Helper()
	c.cuts++
	dir, err := os.MkdirTemp(scratchParent(c.t), "proofstream-test-")
	if err != nil {
		c.t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	c.replay.disk.cut(c.t, dir, odds)
	begin := time.Now()
	c.check(strings.Replace(c.plan.Dir, c.replay.base, dir, 1))
	c.slowest = max(c.slowest, time.Since(begin))
	if c.t.Failed() {
		c.t.Fatalf("after cut %d, at %s number %d, odds %d: the others would fail in the same way", c.cuts, kind, c.moments[kind], odds)
	}
}

// check opens the log in dir and compares it with what was reported.
func (c *cutter) check(dir string) {
	c.t.Helper()
	p := c.plan
	p.Dir = dir
	l := run(c.t, p.options())
	defer l.stop()
	if n := l.Damage(); n > 0 {
		c.t.Errorf("a power cut was taken for damage")
	}
	c.checkBytes(dir)
	kept := map[place]reported{}
	for _, site := range planSites {
		c.read(l, site, kept)
	}
	for at, want := range c.stored {
		b := mustBounds(c.t, l, at.site)
		got, there := kept[at]
		_, gone := c.gone[at]
		switch {
		case at.seq < b.Low && !there:
		case !there && !gone:
			c.t.Errorf("%v was acknowledged as %v and is lost", at, want)
		case there && c.gone[at] != "":
			c.t.Errorf("%v was erased and is back", at)
		case there && got != want:
			c.t.Errorf("%v was acknowledged as %v and is %v", at, want, got)
		}
		reason := stream.Reason("")
		if at.seq+1 < b.Low {
			reason = stream.Expired
		}
		if why, _ := b.Check(want.id); why != reason {
			c.t.Errorf("cursor %v gets %q; want %q", want.id, why, reason)
		}
	}
	c.retry(l)
}

// read adds the events of a site: each once, in order and whole.
func (c *cutter) read(l *running, site string, kept map[place]reported) {
	c.t.Helper()
	events, b, err := l.Read(c.t.Context(), site, 0, 1e6)
	if err != nil {
		c.t.Fatal(err)
	}
	once, last := map[string]bool{}, uint64(0)
	for _, e := range events {
		text := textOf(e.Data)
		want := c.plan.entry(text)
		if string(e.Data) != string(want.Data) || e.Kind != want.Kind || once[text] || e.ID.Seq <= last {
			c.t.Errorf("site %s has %v %.60q after %d; want each event once, in order and as it was", site, e.ID, e.Data, last)
		}
		kept[place{site, e.ID.Seq}] = reported{e.ID, text}
		once[text], last = true, e.ID.Seq
	}
	if b.Low > 1 && len(events)+len(c.gone) < c.plan.Limit {
		c.t.Errorf("site %s has only %d events and a low watermark of %d", site, len(events), b.Low)
	}
}

// checkBytes searches all files for what was erased.
func (c *cutter) checkBytes(dir string) {
	c.t.Helper()
	for suffix, data := range readFiles(dir) {
		for _, text := range c.gone {
			if text != "" && strings.Contains(string(data), text+";") {
				c.t.Errorf("%s was erased and is in the file %q", text, suffix)
			}
		}
	}
}

// retry appends some of the events again, and one that is new.
func (c *cutter) retry(l *running) {
	c.t.Helper()
	places := slices.Collect(maps.Keys(c.stored))
	for range min(len(places), 10) {
		at := places[c.chance.IntN(len(places))]
		want := c.stored[at]
		e := c.plan.entry(want.text)
		if e.Key == "" {
			continue
		}
		if id, duplicate, err := l.Append(c.t.Context(), at.site, e); id != want.id || !duplicate || err != nil {
			c.t.Errorf("retry of %s: %v, duplicate %v, %v; want %v", want.text, id, duplicate, err, want.id)
		}
	}
	high := mustBounds(c.t, l, planSites[0]).High
	id := mustAppend(c.t, l, planSites[0], "next", "")
	for _, was := range c.stored {
		if was.id.Epoch == id.Epoch || id.Seq != high+1 {
			c.t.Fatalf("the next event is %v after %d; want one of a new epoch, not that of %v", id, high, was.id)
		}
	}
}
