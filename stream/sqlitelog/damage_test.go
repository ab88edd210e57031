package sqlitelog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// The damage tests put a fault in the files of a small log and start it. Whatever the fault, it starts, and serves
// nothing that was not appended under that id; what lies on other pages is kept; a cursor from before is complete only if
// nothing after it is missing; and the damaged file stays. PROOF_TEST_LONG=1 tries every place.

// files are a log's, by suffix after the name of the database.
type files map[string][]byte

const lockSuffix = "lock" // stands for the lock file

func fileOf(dir, suffix string) string {
	if suffix == lockSuffix {
		return filepath.Join(dir, lockFile)
	}
	return filepath.Join(dir, databaseFile+suffix)
}

// scratch returns a directory, in memory if possible: there are thousands of fsyncs that nobody needs.
func scratch(t testing.TB) string {
	dir, err := os.MkdirTemp(scratchParent(t), "proofstream-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func scratchParent(t testing.TB) string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return t.TempDir()
}

func readFiles(dir string) files {
	f := files{}
	for _, suffix := range []string{"", walSuffix, lockSuffix} {
		if data, err := os.ReadFile(fileOf(dir, suffix)); err == nil {
			f[suffix] = data
		}
	}
	return f
}

func (f files) write(t testing.TB, dir string) {
	for suffix, data := range f {
		if err := os.WriteFile(fileOf(dir, suffix), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// with returns the files with one replaced; nil removes it.
func (f files) with(suffix string, data []byte) files {
	c := maps.Clone(f)
	if c[suffix] = data; data == nil {
		delete(c, suffix)
	}
	return c
}

// edit returns the files with a copy of one changed.
func (f files) edit(suffix string, change func(b []byte)) files {
	b := bytes.Clone(f[suffix])
	change(b)
	return f.with(suffix, b)
}

func flip(at int) func([]byte)       { return func(b []byte) { b[at] ^= 1 << (at % 8) } }
func wipe(from, to int) func([]byte) { return func(b []byte) { clear(b[from:min(to, len(b))]) } }

// intact returns the row ids of events that can be found in the files.
func (f files) intact() map[int64]bool {
	ids := map[int64]bool{}
	p := newImage(section(f[""]), section(f[walSuffix]), true)
	for r := range p.rows(p.numbers()) {
		var kind, at, sum int64
		var data []byte
		if r.ours() && len(r.columns) == 5 && scan(r.columns, &r.id, &kind, &at, &data, &sum) == nil && sum == eventSum(r.id, kind, at, data) {
			ids[r.id] = true
		}
	}
	return ids
}

// history is what happened to a log.
type history struct {
	killed, closed files                     // as a kill would leave the files, and after Close
	kept           map[string][]stream.Event // by site
	gone           map[string][]stream.ID    // removed by retention, or erased
	erased         map[string]stream.ID
	cursors        map[string][]stream.ID
	keys           map[string]stream.ID // by site and key
	ids            map[string]int64     // of sites
	onePage        bool                 // no fault is on more than one page: epochs, which are on two, are not lost
}

var damageSites = []string{"books", "shoes", "tea"}

func damageOptions(dir string) Options {
	return Options{Dir: dir, Sites: damageSites, Limits: stream.Limits{Events: 110, Age: time.Hour}, Logger: slog.New(slog.DiscardHandler)}
}

// startLog opens and runs a log until the function returned is called.
func startLog(t testing.TB, dir string) (*Log, func() error) {
	t.Helper()
	l := New(damageOptions(dir))
	if err := l.Open(t.Context()); err != nil {
		t.Fatalf("Open: %v; want a log that starts", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stop := func() error {
		cancel()
		<-done
		return l.Close()
	}
	return l, stop
}

// newHistory runs a log twice. The second run's events are in the WAL only.
func newHistory(t testing.TB, seed uint64) *history {
	h := &history{kept: map[string][]stream.Event{}, gone: map[string][]stream.ID{}, erased: map[string]stream.ID{},
		cursors: map[string][]stream.ID{}, keys: map[string]stream.ID{}, ids: map[string]int64{}}
	random := rand.New(rand.NewPCG(seed, 1))
	dir := scratch(t)
	for run := range 2 {
		l, stop := startLog(t, dir)
		for i := range 150 {
			h.append(t, l, random, damageSites[[...]int{0, 1, 0, 1, 0, 2}[i%6]], fmt.Sprint("key ", run, i))
		}
		if run == 0 {
			for _, site := range damageSites {
				id := h.kept[site][len(h.kept[site])-5].ID
				if err := l.Erase(t.Context(), site, id.Seq); err != nil {
					t.Fatal(err)
				}
				h.erased[site] = id
			}
		} else {
			h.killed = readFiles(dir)
		}
		for _, site := range damageSites {
			h.look(t, l, site)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		h.closed = readFiles(dir)
	}
	return h
}

func (h *history) append(t testing.TB, l *Log, random *rand.Rand, site, key string) {
	size := 20 + random.IntN(300)
	if random.IntN(10) == 0 {
		size = 4000 + random.IntN(stream.MaxData-4000) // needs overflow pages
	}
	data := fmt.Appendf(nil, `{"name":"%s %d %s"}`, site, random.Uint64(), strings.Repeat("x", size-20))
	e := stream.Entry{Kind: stream.Kind(random.IntN(2)), Data: data[:min(len(data), stream.MaxData)]}
	if random.IntN(3) == 0 {
		e.Key = key
	}
	id, _, err := l.Append(t.Context(), site, e)
	if err != nil {
		t.Fatal(err)
	}
	h.kept[site] = append(h.kept[site], stream.Event{ID: id, Kind: e.Kind, Data: e.Data})
	if e.Key != "" {
		h.keys[site+" "+key] = id
	}
}

// look takes over what the log has of a site.
func (h *history) look(t testing.TB, l *Log, site string) {
	events, b, err := l.Read(t.Context(), site, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	h.cursors[site] = append(h.cursors[site], stream.ID{Epoch: b.Epochs[0].Name})
	for _, e := range h.kept[site] {
		h.cursors[site] = append(h.cursors[site], e.ID)
		if !slices.ContainsFunc(events, func(k stream.Event) bool { return k.ID == e.ID }) {
			h.gone[site] = append(h.gone[site], e.ID)
		}
	}
	h.kept[site] = events
	s, _ := l.known(site)
	h.ids[site] = s.id
}

// verify starts a log with damaged files and holds it against the history. Events that can be found in spared, the files
// without everything near the fault, have to be kept.
func (h *history) verify(t *testing.T, fault string, damaged, spared files) {
	t.Helper()
	h.verifyAfter(t, fault, damaged, spared, 0)
}

// verifyAfter is verify, after an earlier process has told some faults.
func (h *history) verifyAfter(t *testing.T, fault string, damaged, spared files, told int) {
	t.Helper()
	dir := scratch(t)
	damaged.write(t, dir)
	defer func() {
		if t.Failed() {
			t.Fatalf("fault: %s", fault)
		}
	}()
	l, stop := startLog(t, dir)
	h.judge(t, l, spared, told+l.Damage())
	if err := stop(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if l.Damage() > 0 && damaged[""] != nil {
		h.aside(t, dir, damaged)
	}
	again, stop := startLog(t, dir)
	if again.Damage() > 0 {
		t.Errorf("%d faults at the next start; want 0: they were repaired", again.Damage())
	}
	stop()
}

// aside checks that the damaged file was kept as it was, if it was replaced.
func (h *history) aside(t *testing.T, dir string, damaged files) {
	kept, _ := filepath.Glob(filepath.Join(dir, databaseFile+damagedSuffix+"*Z"))
	for _, path := range kept {
		if data, _ := os.ReadFile(path); !bytes.Equal(data, damaged[""]) {
			t.Errorf("%s is not the damaged file as it was", filepath.Base(path))
		}
		wal := damaged[walSuffix]
		if moved := damaged[damagedSuffix+crashTime+walSuffix]; moved != nil {
			wal = moved
		}
		if data, _ := os.ReadFile(path + walSuffix); !bytes.Equal(data, wal) {
			t.Errorf("%s is not the WAL as it was", filepath.Base(path)+walSuffix)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, databaseFile+".[ns]*")); len(left) > 0 {
		t.Errorf("%v left over; want nothing but the database and the damaged one", left)
	}
}

// judge holds what a log serves against the history.
func (h *history) judge(t *testing.T, l *Log, spared files, told int) {
	t.Helper()
	intact := spared.intact()
	for _, site := range damageSites {
		events, b, err := l.Read(t.Context(), site, 0, 1000)
		if err != nil {
			t.Fatalf("Read after the start: %v", err)
		}
		served := map[stream.ID]bool{}
		for i, e := range events {
			served[e.ID] = true
			if i > 0 && e.ID.Seq <= events[i-1].ID.Seq {
				t.Errorf("%s: %v after %v; want rising sequences", site, e.ID, events[i-1].ID)
			}
			h.genuine(t, site, e)
		}
		lost := uint64(0) // the newest event that is missing
		for _, e := range h.kept[site] {
			if !served[e.ID] && !h.servedAs(events, e, b) {
				lost = e.ID.Seq
				if id := rowID(h.ids[site], e.ID.Seq); intact[id] {
					t.Errorf("%s: %v is lost; want it, it is on sound pages", site, e.ID)
				}
			}
		}
		if lost > 0 && told == 0 {
			t.Errorf("%s: %d is lost, and no damage is told", site, lost)
		}
		for _, c := range h.cursors[site] {
			if reason, _ := b.Judge(c); reason == "" && c.Seq < lost {
				t.Errorf("%s: cursor %v is complete; want a gap, %d is lost", site, c, lost)
			}
		}
		h.appendable(t, l, site, b)
	}
}

// genuine checks that a served event is one that was appended, not erased, under its own id or, if the epoch history
// is lost, under its sequence.
func (h *history) genuine(t *testing.T, site string, e stream.Event) {
	t.Helper()
	i := slices.IndexFunc(h.kept[site], func(k stream.Event) bool { return k.ID.Seq == e.ID.Seq })
	switch {
	case i < 0 && (h.erased[site].Seq == e.ID.Seq || !slices.ContainsFunc(h.gone[site], func(id stream.ID) bool { return id.Seq == e.ID.Seq })):
		t.Errorf("%s: serves %v, which was never given, or erased", site, e.ID)
	case i >= 0:
		if want := h.kept[site][i]; e.Kind != want.Kind || !e.Time.Equal(want.Time) || !bytes.Equal(e.Data, want.Data) {
			t.Errorf("%s: serves %v with other content than was appended", site, e.ID)
		}
	}
}

// servedAs says whether the event is served under another epoch's name, as when the epoch history is lost.
func (h *history) servedAs(events []stream.Event, e stream.Event, b stream.Bounds) bool {
	known := slices.ContainsFunc(b.Epochs, func(p stream.Epoch) bool { return p.Name == e.ID.Epoch })
	return !h.onePage && !known && slices.ContainsFunc(events, func(s stream.Event) bool { return s.ID.Seq == e.ID.Seq })
}

// appendable checks that the site takes events under ids that were never given, and knows keys only rightly.
func (h *history) appendable(t *testing.T, l *Log, site string, b stream.Bounds) {
	t.Helper()
	id, _, err := l.Append(t.Context(), site, stream.Entry{Data: []byte(`{}`)})
	if err != nil || id.Seq != b.High+1 || slices.Contains(h.cursors[site], id) {
		t.Errorf("Append to %s: %v, %v; want a new id with %d", site, id, err, b.High+1)
	}
	for key, want := range h.keys {
		if key, ok := strings.CutPrefix(key, site+" "); ok {
			got, err := l.Find(t.Context(), site, key)
			if err == nil && got.Seq != want.Seq || err != nil && !errors.Is(err, stream.ErrNotFound) {
				t.Errorf("Find(%s, %s) = %v, %v; want %v or ErrNotFound", site, key, got, err, want)
			}
		}
	}
}

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
	h := newHistory(t, 1)
	h.onePage = true
	offsets := []int{0, 3, 8, 9, 12, 40, 101, 110, 600, 2047, 3600, 4095}
	for _, f := range []files{h.killed, h.closed} {
		pages := len(f[""]) / pageSize
		for i, n := range every(pages*len(offsets), 24) {
			page, at := n/len(offsets)*pageSize, offsets[(n+i)%len(offsets)]
			h.verify(t, fmt.Sprintf("bit flipped at %d of page %d", at, page/pageSize+1), f.edit("", flip(page+at)), f.edit("", wipe(page, page+pageSize)))
		}
	}
}

func TestZeroedPage(t *testing.T) {
	h := newHistory(t, 2)
	h.onePage = true
	for _, f := range []files{h.killed, h.closed} {
		for _, n := range every(len(f[""])/pageSize, 8) {
			damaged := f.edit("", wipe(n*pageSize, (n+1)*pageSize))
			h.verify(t, fmt.Sprintf("page %d zeroed", n+1), damaged, damaged)
		}
	}
}

func TestCutFile(t *testing.T) {
	h := newHistory(t, 3)
	for _, f := range []files{h.killed, h.closed} {
		for _, n := range every(len(f[""])/512, 8) {
			at := n * 512
			h.verify(t, fmt.Sprintf("database cut at %d", at), f.with("", f[""][:at]), f.with("", f[""][:at-at%pageSize]))
		}
	}
}

func TestDamagedWAL(t *testing.T) {
	h := newHistory(t, 4)
	wal, size := h.killed[walSuffix], frameHeadSize+pageSize
	frame := func(at int) int { return walHeaderSize + (at-walHeaderSize)/size*size }
	for _, at := range []int{0, 5, 9, 17, 26} {
		h.verify(t, fmt.Sprintf("bit flipped at %d of the WAL", at), h.killed.edit(walSuffix, flip(at)), h.killed.edit(walSuffix, wipe(0, walHeaderSize+frameHeadSize)))
	}
	for _, n := range every(len(wal)/997, 16) {
		at := walHeaderSize + n*997%(len(wal)-walHeaderSize)
		h.verify(t, fmt.Sprintf("bit flipped at %d of the WAL", at), h.killed.edit(walSuffix, flip(at)), h.killed.edit(walSuffix, wipe(frame(at), frame(at)+size)))
	}
	for _, n := range every(len(wal)/512, 8) {
		cut := h.killed.with(walSuffix, wal[:n*512])
		h.verify(t, fmt.Sprintf("WAL cut at %d", n*512), cut, cut)
	}
	h.verify(t, "WAL missing after a kill", h.killed.with(walSuffix, nil), h.killed.with(walSuffix, nil))
}

// Would catch that files which SQLite takes for sound, or new, pass for a log that has lost nothing.
func TestFilesReplaced(t *testing.T) {
	h, other := newHistory(t, 5), newHistory(t, 6)
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
		for _, n := range every(min(len(f[0][""]), len(f[1][""]))/pageSize, 6) {
			from, to := n*pageSize, (n+1)*pageSize
			mixed := f[0].edit("", func(b []byte) { copy(b[from:to], f[1][""][from:to]) })
			h.verify(t, fmt.Sprintf("page %d of another database", n+1), mixed, f[0].edit("", wipe(from, to)))
		}
	}
}

const crashTime = "20261127T214500Z"

// Would catch a salvage that a crash can stop for good, or that loses the damaged file.
func TestSalvageIsRepeatedAfterACrash(t *testing.T) {
	h := newHistory(t, 7)
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
	h := newHistory(t, 8)
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
	h := newHistory(t, 9)
	for _, n := range every(len(h.closed[""])/512, 16) {
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

// readDamaged reads every site until that succeeds or the log says that it needs a restart.
func (h *history) readDamaged(t *testing.T, l *Log, fault string) {
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
