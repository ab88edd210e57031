package sqlitelog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"proofstream/stream"
)

// The damage tests put a fault in the files of a small log and start it. Whatever the fault, it starts, and serves
// nothing that was not appended under that id; what lies on other pages is kept; a cursor from before is complete only if
// nothing after it is missing; and the damaged file stays. PROOF_TEST_LONG=1 tries every place.

// every returns which of n places to try: all, or some spread over them.
func every(n, some int) []int {
	if os.Getenv("PROOF_TEST_LONG") != "" {
		some = n
	}
	var places []int
	for i := range min(some, n) {
		places = append(places, i*n/min(some, n))
	}
	return places
}

func TestFlippedBit(t *testing.T) {
	h := newReference(t, 1)
	h.onePage = true
	offsets := []int{0, 3, 8, 9, 12, 40, 101, 110, 600, 2047, 3600, 4095}
	for _, f := range []files{h.killed, h.closed} {
		pages := len(f[""]) / pageSize
		for i, n := range every(pages*len(offsets), 12) {
			page, at := n/len(offsets)*pageSize, offsets[(n+i)%len(offsets)]
			h.verify(t, fmt.Sprintf("bit flipped at %d of page %d", at, page/pageSize+1), f.edit("", flip(page+at)), f.edit("", wipe(page, page+pageSize)))
		}
	}
}

func TestZeroedPage(t *testing.T) {
	h := newReference(t, 2)
	h.onePage = true
	for _, f := range []files{h.killed, h.closed} {
		for _, n := range every(len(f[""])/pageSize, 4) {
			damaged := f.edit("", wipe(n*pageSize, (n+1)*pageSize))
			h.verify(t, fmt.Sprintf("page %d zeroed", n+1), damaged, damaged)
		}
	}
}

func TestCutFile(t *testing.T) {
	h := newReference(t, 3)
	for _, f := range []files{h.killed, h.closed} {
		for _, n := range every(len(f[""])/512, 4) {
			at := n * 512
			h.verify(t, fmt.Sprintf("database cut at %d", at), f.with("", f[""][:at]), f.with("", f[""][:at-at%pageSize]))
		}
	}
}

func TestDamagedWAL(t *testing.T) {
	h := newReference(t, 4)
	wal, size := h.killed[walSuffix], frameHeadSize+pageSize
	frame := func(at int) int { return walHeaderSize + (at-walHeaderSize)/size*size }
	for _, at := range []int{0, 5, 9, 17, 26} {
		h.verify(t, fmt.Sprintf("bit flipped at %d of the WAL", at), h.killed.edit(walSuffix, flip(at)), h.killed.edit(walSuffix, wipe(0, walHeaderSize+frameHeadSize)))
	}
	for _, n := range every(len(wal)/997, 8) {
		at := walHeaderSize + n*997%(len(wal)-walHeaderSize)
		h.verify(t, fmt.Sprintf("bit flipped at %d of the WAL", at), h.killed.edit(walSuffix, flip(at)), h.killed.edit(walSuffix, wipe(frame(at), frame(at)+size)))
	}
	for _, n := range every(len(wal)/512, 4) {
		cut := h.killed.with(walSuffix, wal[:n*512])
		h.verify(t, fmt.Sprintf("WAL cut at %d", n*512), cut, cut)
	}
	h.verify(t, "WAL missing after a kill", h.killed.with(walSuffix, nil), h.killed.with(walSuffix, nil))
}

// Would catch that files which SQLite takes for sound, or new, pass for a log that has lost nothing.
func TestFilesReplaced(t *testing.T) {
	h, other := newReference(t, 5), newReference(t, 6)
	none := files{}
	h.verify(t, "database deleted after a kill", h.killed.with("", nil), h.killed.with("", nil))
	h.verify(t, "database deleted", h.closed.with("", nil), none)
	h.verify(t, "zero-length database", h.closed.with("", []byte{}), none)
	h.verify(t, "zero-length database beside its WAL", h.killed.with("", []byte{}), h.killed.with("", nil))
	h.verify(t, "all files deleted but the lock", files{lockSuffix: h.killed[lockSuffix]}, none)
	h.verify(t, "WAL from an earlier time", h.closed.with(walSuffix, h.killed[walSuffix]), h.closed)
	h.verify(t, "WAL of another database", h.killed.with(walSuffix, other.killed[walSuffix]), none)
	h.verify(t, "WAL of another database, after Close", h.closed.with(walSuffix, other.killed[walSuffix]), none)
	for _, f := range [][2]files{{h.killed, other.killed}, {h.closed, other.closed}} {
		for _, n := range every(min(len(f[0][""]), len(f[1][""]))/pageSize, 4) {
			from, to := n*pageSize, (n+1)*pageSize
			mixed := f[0].edit("", func(b []byte) { copy(b[from:to], f[1][""][from:to]) })
			h.verify(t, fmt.Sprintf("page %d of another database", n+1), mixed, f[0].edit("", wipe(from, to)))
		}
	}
}

const crashTime = "20261127T214500Z"

// Would catch a salvage that a crash can stop for good, or that loses the damaged file.
func TestSalvageIsRepeatedAfterACrash(t *testing.T) {
	h := newReference(t, 7)
	damaged := h.killed.edit("", wipe(5*pageSize, 6*pageSize))
	dir := scratch(t)
	damaged.write(t, dir)
	_, stop := startLog(t, dir)
	stop()
	salvaged := readFiles(dir)[""]
	for what, f := range map[string]files{
		"while writing":          damaged.with(newSuffix, salvaged[:3*pageSize]).with(newSuffix+"-wal", []byte("x")),
		"before the first move":  damaged.with(salvagedSuffix+crashTime, salvaged),
		"after the WAL is moved": damaged.with(salvagedSuffix+crashTime, salvaged).with(walSuffix, nil).with(damagedSuffix+crashTime+walSuffix, damaged[walSuffix]),
		"before the last move": {lockSuffix: damaged[lockSuffix], salvagedSuffix + crashTime: salvaged,
			damagedSuffix + crashTime: damaged[""], damagedSuffix + crashTime + walSuffix: damaged[walSuffix]},
	} {
		h.verify(t, "crash "+what, f, damaged)
	}
}

// Would catch that one salvage replaces the damaged file of another.
func TestEachDamagedFileIsKept(t *testing.T) {
	h := newReference(t, 8)
	dir := scratch(t)
	for i := range 3 {
		damaged := h.closed.edit("", wipe((5+i)*pageSize, (6+i)*pageSize))
		damaged.write(t, dir)
		l := New(damageOptions(dir))
		l.now = func() time.Time { return time.Date(2026, 11, 27, 21, 45, 0, 0, time.UTC) }
		if err := errors.Join(l.Open(t.Context()), l.Close()); err != nil {
			t.Fatal(err)
		}
	}
	kept := map[string]bool{}
	names, _ := filepath.Glob(filepath.Join(dir, databaseFile+damagedSuffix+"*"))
	for _, name := range names {
		if !strings.HasSuffix(name, walSuffix) {
			kept[string(readFile(t, name))] = true
		}
	}
	if len(kept) != 3 {
		t.Errorf("%d damaged files in %v; want 3", len(kept), names)
	}
}

// Would catch that an event changed on disk while the log runs is served, or stops the log for good.
func TestDamageWhileRunning(t *testing.T) {
	h := newReference(t, 9)
	for _, n := range every(len(h.closed[""])/512, 8) {
		at := n*512 + n%512
		dir := scratch(t)
		h.closed.write(t, dir)
		l, stop := startLog(t, dir)
		db := readFile(t, fileOf(dir, ""))
		if at >= len(db) {
			at = len(db) - 1
		}
		flip(at)(db)
		if err := writeAt(fileOf(dir, ""), db[at:at+1], int64(at)); err != nil {
			t.Fatal(err)
		}
		h.readDamaged(t, l, fmt.Sprintf("bit flipped at %d", at))
		stop() // may say that the database is damaged
		page := at / pageSize * pageSize
		left := readFiles(dir)
		h.verifyAfter(t, fmt.Sprintf("bit flipped at %d while running", at), left, left.edit("", wipe(page, page+pageSize)), l.Damage())
	}
}

func writeAt(path string, data []byte, at int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, at)
	return errors.Join(err, f.Close())
}

// readDamaged reads every site until that succeeds or the log needs a restart.
func (h *reference) readDamaged(t *testing.T, l *Log, fault string) {
	t.Helper()
	for _, site := range damageSites {
		for try := 0; ; try++ {
			events, _, err := l.Read(t.Context(), site, 0, 1000)
			for _, e := range events {
				h.genuine(t, site, e)
			}
			if err == nil || l.Healthy() != nil {
				break
			}
			if !errors.Is(err, stream.ErrUnavailable) || try > 300 {
				t.Fatalf("%s: Read: %v, healthy; want events, or a log that asks for a restart", fault, err)
			}
		}
	}
}
