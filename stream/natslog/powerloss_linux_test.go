package natslog

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// enough waits for the end of a writer's plan.
func enough(line string) bool { return line == "done" }

// TestPowerLossLosesNothingAcknowledged cuts the power of a model of the disk, as far as it is known to be written, right
// when an event is acknowledged or erased: at the start, when a new file was begun, after an erasure replaced one,
// and in between. What comes back has every event acknowledged, once, as it was, under its id.
func TestPowerLossLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	p := plan{Dir: filepath.Join(base, "new", "data"), Name: "always", Events: 375, Size: 6000, Erase: true}
	d := loadDisk(t, base)
	calls := trace(t, p, enough)
	r := &replay{t: t, base: base, disk: d}
	c := newCutter(t, r, p)
	c.expect(calls, 10)
	r.run(calls)
	r.check(d.root, base)
	c.summary()
	if c.blocks() < 2 {
		t.Errorf("the log has only %d file: this proved nothing of the change to another", c.blocks())
	}
}

// TestPowerLossAfterFailedSyncs has some fsyncs fail: what they should have put on disk is lost although it reads as
// if it were there, and so is all behind it in the same file when the power is cut, unless it is written again.
func TestPowerLossAfterFailedSyncs(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	p := plan{Dir: filepath.Join(base, "data"), Name: "failing", Events: 40, Size: 20000}
	d := loadDisk(t, base)
	calls := trace(t, p, enough, "-e", "inject=fsync:error=EIO:when=30")
	r := &replay{t: t, base: base, disk: d}
	c := newCutter(t, r, p)
	c.expect(calls, 6)
	r.run(calls)
	r.check(d.root, base)
	c.summary()
	if r.failed == 0 || c.got.refusals == 0 {
		t.Errorf("%d fsyncs failed, %d appends were refused: this proved nothing", r.failed, c.got.refusals)
	}
}

// TestPowerLossAfterAKill kills a writer as it begins an fsync. The next one finds the event in memory, and may
// call a retry a duplicate only once the event is on disk.
func TestPowerLossAfterAKill(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	p := plan{Dir: filepath.Join(base, "data"), Name: "killed", Events: 100, Size: 6000}
	d := loadDisk(t, base)
	first := trace(t, p, enough, "-e", "inject=fsync:signal=SIGKILL:when=30")
	r := &replay{t: t, base: base, disk: d}
	c := newCutter(t, r, p)
	c.expect(first, 4)
	r.run(first)
	told := len(c.got.stored)
	second := trace(t, p, enough) // the same events: those there are duplicates
	c.expect(second, 8)
	r.run(second)
	r.check(d.root, base)
	c.summary()
	if told == 0 || told == writers*p.Events {
		t.Errorf("%d events were acknowledged before the kill: this proved nothing", told)
	}
}

// cutter cuts the power at chosen moments of a replay.
type cutter struct {
	t      *testing.T
	r      *replay
	p      plan
	chance *rand.Rand

	got   receipts
	every int // how many acknowledgements between two cuts
	acks  int
	state string // what changed last, that is worth a cut
	soon  int    // cuts to make at once
	cuts  int
	worst time.Duration
}

func newCutter(t *testing.T, r *replay, p plan) *cutter {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := &cutter{t: t, r: r, p: p, chance: rand.New(rand.NewPCG(seed, 0)), got: newReceipts()}
	r.told = c.told
	return c
}

// expect spreads so many cuts over the acknowledgements that are to come, and makes some more at the first of them.
func (c *cutter) expect(calls []call, cuts int) {
	n := 0
	for _, call := range calls {
		if call.begins && call.name == "write" && call.number(0) == 1 && call.text(0)[0] == '+' {
			n++
		}
	}
	c.every, c.soon = max(n/cuts, 1), 2
}

// blocks counts the files with events.
func (c *cutter) blocks() (n int) {
	dir := c.r.disk.root
	path, _ := filepath.Rel(c.r.base, filepath.Join(c.p.Dir, "jetstream/$G/streams/proofstream/msgs"))
	for _, name := range strings.Split(path, "/") {
		if dir = dir.names[name]; dir == nil {
			return 0
		}
	}
	for name := range dir.names {
		if strings.HasSuffix(name, ".blk") {
			n++
		}
	}
	return n
}

func (c *cutter) told(_ time.Duration, line string) {
	c.got.take(c.t, line)
	state := ""
	if line[0] == '+' || line[0] == '-' {
		state = strings.Repeat("f", c.r.failed) + strings.Repeat("b", c.blocks()) + strings.Repeat("e", len(c.got.erased))
	}
	switch {
	case state == "":
		return
	case state != c.state:
		c.state, c.soon = state, c.soon+1
	}
	if c.acks++; len(c.got.erasing) > len(c.got.erased) {
		c.cut(nil) // a file may just have taken the place of another
		return
	}
	if c.soon == 0 && c.acks%c.every != 0 {
		return
	}
	c.soon = max(c.soon-1, 0)
	c.cut(nil)
	c.cut(c.chance)
}

// cut looks at what comes back after a power cut right now.
func (c *cutter) cut(chance *rand.Rand) {
	c.t.Helper()
	c.cuts++
	dir := inMemory(c.t)
	c.r.disk.cut(c.t, dir, chance)
	rel, _ := filepath.Rel(c.r.base, c.p.Dir)
	begun := time.Now()
	c.got.check(c.t, filepath.Join(dir, rel), c.p)
	if c.t.Failed() {
		c.t.FailNow() // the others would tell the same
	}
	c.worst = max(c.worst, time.Since(begun))
	remove(c.t, dir)
}

func (c *cutter) summary() {
	c.t.Helper()
	if c.cuts < 18 {
		c.t.Errorf("only %d power cuts: this proved little", c.cuts)
	}
	c.t.Logf("%d power cuts while %d events were acknowledged in %d files, %d erased, %d fsyncs failed, %d appends refused; %d logs called damaged; slowest look %v",
		c.cuts, len(c.got.stored), c.blocks(), len(c.got.erased), c.r.failed, c.got.refusals, c.got.damaged, c.worst)
}

// inMemory returns a directory that needs no disk, if there is one: the looks after a cut are many.
func inMemory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "proofstream-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
