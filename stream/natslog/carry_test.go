package natslog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"proofstream/stream"
)

// TestCarryOver would catch a move to a cluster that loses an event, its time, its id, the position of
// a subscriber or the key of a post, or that brings back what was erased.
func TestCarryOver(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d servers", nodes), func(t *testing.T) { carryOver(t, startCluster(t, nodes), nodes) })
	}
}

func carryOver(t *testing.T, c *cluster, replicas int) {
	dir := t.TempDir()
	own := opened(t, Options{Dir: dir, Retain: 500})
	for i := range 1200 {
		d := stream.Draft{Site: fmt.Sprint("s", i%2), Data: fmt.Appendf(nil, `{"user_name":"%d %s"}`, i, strings.Repeat("x", 300)), Key: fmt.Sprint("k", i)}
		if _, _, err := own.Append(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if err := own.Erase(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	want, ids := events(t, own, "s0", "s1"), map[uint64]stream.ID{}
	for seq := range uint64(1201) {
		ids[seq] = own.Chain().ID(seq)
	}
	if err := own.Close(); err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	o := Options{URL: c.url(), Dir: dir, Retain: 500, Replicas: replicas, Logger: slog.New(slog.NewTextHandler(&told, nil))}
	l := opened(t, o)
	if !strings.Contains(told.String(), "carried the embedded log over") || !strings.Contains(told.String(), "events=999") {
		t.Errorf("told: %s", &told)
	}
	sameEvents(t, events(t, l, "s0", "s1"), want)
	for seq, id := range ids {
		if why := l.Chain().Locate(id, 1200); why != "" || l.Chain().ID(seq) != id {
			t.Fatalf("position %v is %q, and called %v", id, why, l.Chain().ID(seq))
		}
	}
	for e := range l.Follow(t.Context(), 0) { // each node reads the log before it takes posts
		if e.Pending == 0 {
			break
		}
	}
	if seq, duplicate, err := l.Append(t.Context(), stream.Draft{Site: "s1", Data: payload, Key: "k1199"}); seq != 1200 || !duplicate || err != nil {
		t.Errorf("retry: %d, duplicate %v, %v; want 1200, true", seq, duplicate, err)
	}
	seq, _, err := l.Append(t.Context(), stream.Draft{Site: "s0", Data: payload})
	if err != nil || seq != 1201 || l.Chain().ID(seq).Epoch == ids[1200].Epoch {
		t.Errorf("append: %d %v in epoch %s; want 1201 in a new epoch", seq, err, l.Chain().ID(seq).Epoch)
	}
	if s, err := l.js.Stream(t.Context(), "proofstream"); err != nil || s.CachedInfo().Config.Replicas != replicas {
		t.Errorf("replicas: %+v, %v", s.CachedInfo().Config, err)
	}
	again := opened(t, o)
	if s, err := again.State(t.Context()); err != nil || s.Last != 1201 || strings.Count(told.String(), "carried") != 1 {
		t.Errorf("a second start: %+v, %v; told: %s", s, err, &told)
	}
}

func events(t *testing.T, l *Log, sites ...string) (all []stream.Event) {
	t.Helper()
	for _, site := range sites {
		page, err := l.Read(t.Context(), site, 0, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
	}
	return all
}

func sameEvents(t *testing.T, got, want []stream.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d events, want %d", len(got), len(want))
	}
	for i, w := range want {
		if g := got[i]; g.Seq != w.Seq || g.Site != w.Site || !g.Time.Equal(w.Time) || !bytes.Equal(g.Data, w.Data) {
			t.Fatalf("got %+v, want %+v", g, w)
		}
	}
}

// TestCarryOverWaitsForTheDirectory would catch a node that begins an empty stream while another
// process still writes to the log that was to be carried over, and one that overlooks a log of
// another name.
func TestCarryOverWaitsForTheDirectory(t *testing.T) {
	c := startCluster(t, 1)
	dir := t.TempDir()
	own := opened(t, Options{Dir: dir})
	appendFive(t, own)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	if _, err := Open(t.Context(), Options{URL: c.url(), Dir: dir, Stream: "other", Logger: quiet}); !errors.Is(err, errUnfit) || !strings.Contains(err.Error(), "PROOF_NATS_STREAM") {
		t.Errorf("another name: %v", err)
	}
	time.AfterFunc(500*time.Millisecond, func() { own.Close() })
	l := opened(t, Options{URL: c.url(), Dir: dir, Logger: quiet})
	if s, err := l.State(t.Context()); err != nil || s.Last != 5 {
		t.Errorf("got %+v, %v; want five events", s, err)
	}
}

// TestRestoredBackup would catch a position from the part that a backup lacks being taken for one of
// the events written since, with a log in a directory.
func TestRestoredBackup(t *testing.T) {
	dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	l := opened(t, Options{Dir: dir})
	appendFive(t, l)
	kept := l.Chain().ID(5)
	l.Close()
	if err := os.CopyFS(backup, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	l = opened(t, Options{Dir: dir})
	appendFive(t, l)
	lost := l.Chain().ID(9)
	l.Close()
	l = opened(t, Options{Dir: backup})
	appendFive(t, l)
	appendFive(t, l)
	checkRestored(t, l, kept, lost)
}

func checkRestored(t *testing.T, l *Log, kept, lost stream.ID) {
	t.Helper()
	s, err := l.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if why := l.Chain().Locate(kept, s.Last); why != "" {
		t.Errorf("position %v from the kept part is %q", kept, why)
	}
	if why := l.Chain().Locate(lost, s.Last); why != stream.Foreign {
		t.Errorf("position %v from the lost part is %q, want %q", lost, why, stream.Foreign)
	}
}

// TestRestoredStream is the same for a cluster whose stream was restored with the nodes stopped: the
// first one then starts with Update.
func TestRestoredStream(t *testing.T) {
	c := startCluster(t, 1)
	l := opened(t, Options{URL: c.url()})
	appendFive(t, l)
	kept, lost := l.Chain().ID(5), l.Chain().ID(9)
	into := startCluster(t, 1)
	target := New(Options{URL: into.url()})
	if err := target.connect(); err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	if _, err := l.sendTo(t.Context(), target); err != nil { // the backup, restored
		t.Fatal(err)
	}
	appendFive(t, l) // the part that is lost
	restored := opened(t, Options{URL: into.url(), Update: true})
	appendFive(t, restored)
	appendFive(t, restored)
	checkRestored(t, restored, kept, lost)
}
