package sqlitelog

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"proofstream/stream"
)

// reference is what happened to a log, and what it must still have.
type reference struct {
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

// startLog starts a log in a directory. The function returned closes it.
func startLog(t testing.TB, dir string) (l *Log, stop func() error) {
	t.Helper()
	l = New(damageOptions(dir))
	return l, start(t, l)
}

// newReference runs a log twice. The second run's events are in the WAL only.
func newReference(t testing.TB, seed uint64) *reference {
	h := &reference{kept: map[string][]stream.Event{}, gone: map[string][]stream.ID{}, erased: map[string]stream.ID{},
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
			h.record(t, l, site)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		h.closed = readFiles(dir)
	}
	return h
}

func (h *reference) append(t testing.TB, l *Log, random *rand.Rand, site, key string) {
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

// record takes over what the log has of a site.
func (h *reference) record(t testing.TB, l *Log, site string) {
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

// verify starts a log with damaged files and compares it with the reference. Events that can be found in spared, the files
// without everything near the fault, have to be kept.
func (h *reference) verify(t *testing.T, fault string, damaged, spared files) {
	t.Helper()
	h.verifyAfter(t, fault, damaged, spared, 0)
}

// verifyAfter is verify, when an earlier process has reported some faults.
func (h *reference) verifyAfter(t *testing.T, fault string, damaged, spared files, reported int) {
	t.Helper()
	dir := scratch(t)
	damaged.write(t, dir)
	defer func() {
		if t.Failed() {
			t.Fatalf("fault: %s", fault)
		}
	}()
	l, stop := startLog(t, dir)
	h.compare(t, l, spared, reported+l.Damage())
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
func (h *reference) aside(t *testing.T, dir string, damaged files) {
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

// compare compares what a log serves with the reference.
func (h *reference) compare(t *testing.T, l *Log, spared files, reported int) {
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
		if lost > 0 && reported == 0 {
			t.Errorf("%s: %d is lost, and no damage is reported", site, lost)
		}
		for _, c := range h.cursors[site] {
			if reason, _ := b.Check(c); reason == "" && c.Seq < lost {
				t.Errorf("%s: cursor %v is complete; want a gap, %d is lost", site, c, lost)
			}
		}
		h.appendable(t, l, site, b)
	}
}

// genuine checks that a served event is one that was appended, not erased, under its own id or, if the epoch history
// is lost, under its sequence.
func (h *reference) genuine(t *testing.T, site string, e stream.Event) {
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

// servedAs reports whether the event is served under another epoch's name, as when the epoch history is lost.
func (h *reference) servedAs(events []stream.Event, e stream.Event, b stream.Bounds) bool {
	known := slices.ContainsFunc(b.Epochs, func(p stream.Epoch) bool { return p.Name == e.ID.Epoch })
	return !h.onePage && !known && slices.ContainsFunc(events, func(s stream.Event) bool { return s.ID.Seq == e.ID.Seq })
}

// appendable checks that the site takes events under ids that were never given, and knows keys only rightly.
func (h *reference) appendable(t *testing.T, l *Log, site string, b stream.Bounds) {
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
