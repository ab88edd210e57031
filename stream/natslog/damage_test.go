package natslog

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"proofstream/stream"
)

// bulk is an event large enough that few fill a block.
var bulk = bytes.Repeat([]byte("0123456789"), 200)

// fill appends n events of such data to some sites in turns, without waiting for each.
func fill(t testing.TB, l *Log, data []byte, n, sites int) {
	t.Helper()
	for i := range n {
		if _, err := l.js.PublishAsync(fmt.Sprintf("proofstream.s%d.signup", i%sites), data); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 999 {
			<-l.js.PublishAsyncComplete()
		}
	}
	<-l.js.PublishAsyncComplete()
}

func flip(t *testing.T, path string, at int64) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, _ := f.Stat(); at < 0 {
		at += info.Size()
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 4
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func cut(t *testing.T, path string, by int64) {
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()-by)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, paths ...string) {
	for _, p := range paths {
		if err := os.RemoveAll(p); err != nil {
			t.Fatal(err)
		}
	}
}

// damages are done to a log of 5,000 events in three blocks.
var damages = []struct {
	name   string
	do     func(t *testing.T, msgs string)
	killed bool // also seen when the process was killed, and so left no sums of its files
}{
	{"the tail is cut within a record", func(t *testing.T, m string) { cut(t, m+"/3.blk", 5000) }, true},
	{"a bit of the middle is flipped", func(t *testing.T, m string) { flip(t, m+"/2.blk", 1000050) }, true},
	{"a bit of the newest event is flipped", func(t *testing.T, m string) { flip(t, m+"/3.blk", -50) }, true},
	{"the middle block is cut", func(t *testing.T, m string) { cut(t, m+"/2.blk", 1000000) }, true},
	{"the first block is missing", func(t *testing.T, m string) { remove(t, m+"/1.blk") }, true},
	{"the middle block is missing", func(t *testing.T, m string) { remove(t, m+"/2.blk") }, true},
	{"the last block is missing", func(t *testing.T, m string) { remove(t, m+"/3.blk") }, true},
	{"every block is missing", func(t *testing.T, m string) { remove(t, m+"/1.blk", m+"/2.blk", m+"/3.blk") }, true},
	{"everything is missing", func(t *testing.T, m string) { remove(t, filepath.Join(m, "../../../..")) }, true},
	{"the index is missing", func(t *testing.T, m string) { remove(t, m+"/index.db") }, false},
	{"a bit of the index is flipped", func(t *testing.T, m string) { flip(t, m+"/index.db", 40) }, false},
	{"the record is missing", func(t *testing.T, m string) { remove(t, recordBeside(m)) }, true},
	{"the record is missing, and the tail", func(t *testing.T, m string) { remove(t, recordBeside(m)); cut(t, m+"/3.blk", 70) }, true},
	{"the record and the index are missing", func(t *testing.T, m string) { remove(t, recordBeside(m), m+"/index.db") }, true},
	{"the record and every block are missing", func(t *testing.T, m string) { remove(t, recordBeside(m), m) }, true},
	{"the record is empty", func(t *testing.T, m string) { write(t, recordBeside(m), "") }, true},
	{"the record holds nothing", func(t *testing.T, m string) { write(t, recordBeside(m), "{}") }, true},
	{"the record is something else", func(t *testing.T, m string) { write(t, recordBeside(m), "\x00\x00\x00") }, true},
	{"the record is cut", func(t *testing.T, m string) { cut(t, recordBeside(m), 30) }, true},
	{"a number in the record is another", func(t *testing.T, m string) { alter(t, recordBeside(m), `"last":5000`, `"last":1000`) }, true},
}

// recordBeside returns where the record is of the log with these blocks.
func recordBeside(msgs string) string { return recordPath(filepath.Join(msgs, "../../../../..")) }

func alter(t *testing.T, path, from, to string) {
	data, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(data, []byte(from)) {
		t.Fatalf("%s holds no %s: %v", path, from, err)
	}
	write(t, path, string(bytes.Replace(data, []byte(from), []byte(to), 1)))
}

func write(t *testing.T, path, text string) {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamageIsToldAndOldCursorsFindAGap would catch a log that comes back with less than it had and
// says nothing, calls an old cursor complete, or serves something that was never appended.
func TestDamageIsToldAndOldCursorsFindAGap(t *testing.T) {
	whole, killed := damagedFrom(t)
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			checkDamage(t, whole, d.do)
			if d.killed {
				checkDamage(t, killed, d.do)
			}
		})
	}
}

// damagedFrom returns two logs to damage copies of: one closed in good order, one as a killed
// process leaves it.
func damagedFrom(t *testing.T) (whole, killed string) {
	whole, killed = t.TempDir(), t.TempDir()
	l := opened(t, Options{Dir: whole, Fsync: time.Minute, Retain: 1e6})
	fill(t, l, bulk, 5000, 1)
	if err := l.tend(t.Context(), false); err != nil { // as Run does each second
		t.Fatal(err)
	}
	copyDir(t, whole, killed)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return whole, killed
}

func copyDir(t *testing.T, from, to string) {
	if out, err := exec.Command("cp", "-r", from+"/.", to).CombinedOutput(); err != nil {
		t.Fatalf("copy: %s", out)
	}
}

func checkDamage(t *testing.T, from string, damage func(*testing.T, string)) {
	dir := t.TempDir()
	copyDir(t, from, dir)
	old, err := readRecord(dir)
	if err != nil {
		t.Fatal(err)
	}
	damage(t, filepath.Join(dir, "jetstream/$G/streams/proofstream/msgs"))
	l := opened(t, Options{Dir: dir, Fsync: time.Minute, Retain: 1e6})
	if len(l.Damage()) == 0 {
		t.Errorf("nothing told")
	}
	left, err := l.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkGap(t, l, old.Chain, left.Last)
	seq, _, err := l.Append(t.Context(), stream.Draft{Site: "s0", Data: bulk})
	if err != nil {
		t.Fatalf("append afterwards: %v", err)
	}
	if id := l.Chain().ID(seq); id.Epoch != l.newest() {
		t.Errorf("what comes next is %v: it may have been given before", id)
	}
	checkOrder(t, l, seq)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = opened(t, Options{Dir: dir, Fsync: time.Minute, Retain: 1e6})
	if d := l.Damage(); len(d) > 0 {
		t.Errorf("told again at the next start: %v", d)
	}
	checkGap(t, l, old.Chain, left.Last)
	if why := l.Chain().Locate(l.Chain().Position(left.Last/2), seq); why != "" {
		t.Errorf("a position given since is %q", why)
	}
}

// checkGap checks that the events of a damaged log, up to the last that is left, have the ids that they had, and that
// nobody goes on from any.
func checkGap(t *testing.T, l *Log, was stream.Chain, left uint64) {
	t.Helper()
	state, err := l.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{1, 100, 2700, 4900, 4999, 5000} {
		id := was.ID(seq)
		if why := l.Chain().Locate(id, state.Last); why != stream.Foreign {
			t.Errorf("cursor at %d is %q, want %q", seq, why, stream.Foreign)
		}
		if now := l.Chain().ID(seq); (now == id) != (seq <= left) {
			t.Errorf("of %d that are left, %v is now %v", left, id, now)
		}
	}
}

// checkOrder reads the log up to seq in both ways: no event altered, none out of order, and no end
// before the end.
func checkOrder(t *testing.T, l *Log, seq uint64) {
	last := uint64(0)
	for e, err := range l.Follow(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Seq <= last || !bytes.Equal(e.Data, bulk) {
			t.Errorf("followed %d after %d: %.40q", e.Seq, last, e.Data)
		}
		if last = e.Seq; last == seq {
			break
		}
	}
	events, err := l.Read(t.Context(), "s0", seq-min(seq, 300), 500)
	if err != nil || len(events) == 0 || events[len(events)-1].Seq != seq {
		t.Fatalf("read %d events near the end, %v", len(events), err)
	}
	if !slices.IsSortedFunc(events, func(a, b stream.Event) int { return int(a.Seq) - int(b.Seq) }) {
		t.Errorf("read out of order")
	}
}

// TestDamagedLogIsCarriedOver would catch a move to a cluster that forgets what may be missing, or how its events are
// called.
func TestDamagedLogIsCarriedOver(t *testing.T) {
	c, dir := startCluster(t, 1), t.TempDir()
	own := opened(t, Options{Dir: dir})
	fill(t, own, payload, 10, 1)
	was := own.Chain()
	if err := own.Close(); err != nil {
		t.Fatal(err)
	}
	remove(t, own.files()+"/index.db")
	for _, told := range []bool{true, false} { // the node that carries it, and one that finds it there
		l := opened(t, Options{URL: c.url(), Dir: dir})
		if d := l.Damage(); len(d) > 0 != told {
			t.Errorf("damage told: %v, want %v", d, told)
		}
		for seq := uint64(1); seq <= 10; seq++ {
			id, position := was.ID(seq), l.Chain().Position(seq)
			if l.Chain().ID(seq) != id || l.Chain().Locate(id, 10) != stream.Foreign || l.Chain().Locate(position, 10) != "" {
				t.Errorf("event %v is now %v, its old position %q, the new one, %v, %q",
					id, l.Chain().ID(seq), l.Chain().Locate(id, 10), position, l.Chain().Locate(position, 10))
			}
		}
	}
}

// TestInterruptedFirstStartIsNoDamage would catch a new log called damaged because the process was killed before it knew
// more of it than that it was about to begin.
func TestInterruptedFirstStartIsNoDamage(t *testing.T) {
	dir := t.TempDir()
	first := &Log{opts: Options{Dir: dir}.withDefaults()}
	for _, files := range []string{"none", "all"} {
		if _, err := first.inspect(); err != nil {
			t.Fatal(err)
		}
		l := opened(t, Options{Dir: dir})
		if d := l.Damage(); len(d) > 0 {
			t.Errorf("with %s of the server's files: %v", files, d)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := (&record{First: 1}).write(dir, true); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTornDescriptionCostsNothing would catch a log that is lost, or whose cursors are, because a
// process was killed between the two files in which the server describes a stream.
func TestTornDescriptionCostsNothing(t *testing.T) {
	for _, damage := range []func(*testing.T, string){
		func(t *testing.T, dir string) { remove(t, dir+"/meta.sum") },
		func(t *testing.T, dir string) { remove(t, dir+"/meta.inf") },
		func(t *testing.T, dir string) { flip(t, dir+"/meta.inf", 60) },
	} {
		dir := t.TempDir()
		l := opened(t, Options{Dir: dir})
		var ids []stream.ID
		for range 10 {
			seq, _, err := l.Append(t.Context(), stream.Draft{Site: "s0", Data: payload, Key: fmt.Sprint(len(ids))})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, l.Chain().ID(seq))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		damage(t, dir+"/jetstream/$G/streams/proofstream")
		l = opened(t, Options{Dir: dir})
		if d := l.Damage(); len(d) > 0 {
			t.Errorf("called damage: %v", d)
		}
		for _, id := range ids {
			if why := l.Chain().Locate(id, 10); why != "" || l.Chain().ID(id.Seq) != id {
				t.Errorf("cursor %v is %q, its event now %v", id, why, l.Chain().ID(id.Seq))
			}
		}
		if seq, duplicate, err := l.Append(t.Context(), stream.Draft{Site: "s0", Data: payload, Key: "3"}); seq != ids[3].Seq || !duplicate {
			t.Errorf("key again: %d, %v, %v", seq, duplicate, err)
		}
	}
}
