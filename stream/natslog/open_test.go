package natslog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"proofstream/stream"
)

// TestBadDirectoriesAreToldWithWhatToDo would catch a start that hangs on, or blames the server for, a
// directory that cannot be used.
func TestBadDirectoriesAreToldWithWhatToDo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		file:                        "is not a directory",
		filepath.Join(file, "data"): "is not a directory",
		"/proc/proofstream":         "create",
	}
	if os.Getuid() != 0 { // root may write anywhere
		readOnly := t.TempDir()
		if err := os.Chmod(readOnly, 0o500); err != nil {
			t.Fatal(err)
		}
		cases[readOnly] = "not writable"
	}
	for dir, want := range cases {
		l, err := Open(t.Context(), Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
		if err == nil {
			l.Close()
			t.Errorf("%s was opened", dir)
		} else if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("open %s: %v; want it to say %q", dir, err, want)
		}
	}
}

func TestSecondProcessIsKeptOut(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, Options{Dir: dir})
	_, err := Open(t.Context(), Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%s is in use by another process (pid %d)", dir, os.Getpid())) {
		t.Errorf("second open: %v; want the directory and the process", err)
	}
	if _, _, err := l.Append(t.Context(), stream.Draft{Site: "a", Data: payload}); err != nil {
		t.Errorf("first log after that: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	opened(t, Options{Dir: dir})
}

// TestErasedBytesAreGone would catch an erasure that leaves the visitor's name in the files.
func TestErasedBytesAreGone(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, Options{Dir: dir})
	canaries := []string{"Canary-Oldest", "Canary-Middle", "Canary-Newest"}
	var seqs []uint64
	for _, c := range canaries {
		seq, _, err := l.Append(t.Context(), stream.Draft{Site: "a", Data: []byte(c + "-data"), Key: c + "-key"})
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, seq)
	}
	if holding(t, dir, "Canary") == "" {
		t.Fatal("no file holds the canaries before their erasure: this would prove nothing")
	}
	for _, seq := range []uint64{seqs[1], seqs[2], seqs[0]} {
		if err := l.Erase(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	if path := holding(t, dir, "Canary"); path != "" {
		t.Errorf("%s still holds an erased event", path)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = opened(t, Options{Dir: dir})
	if path := holding(t, dir, "Canary"); path != "" {
		t.Errorf("%s holds an erased event after a restart", path)
	}
	if s, err := l.State(t.Context()); err != nil || s.Last != seqs[2] || s.Events != 0 || len(l.Damage()) > 0 {
		t.Errorf("state %+v, %v, damage %v; want last %d and no events", s, err, l.Damage(), seqs[2])
	}
}

// holding returns a file under dir that holds text, or "".
func holding(t *testing.T, dir, text string) (found string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			found = path
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return found
}

func TestSettingsOfTodayHold(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, Options{Dir: dir})
	for i := range 10 {
		for _, kind := range []stream.Kind{stream.Announce, stream.Retract} {
			if _, _, err := l.Append(t.Context(), stream.Draft{Site: "a", Kind: kind, Data: fmt.Append(nil, i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = opened(t, Options{Dir: dir, Retain: 3})
	events, err := l.Read(t.Context(), "a", 0, 100)
	if err != nil || len(events) != 6 || string(events[0].Data) != "7" {
		t.Errorf("after a restart with 3 retained: %d events, %v; want the newest 3 of each kind", len(events), err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = opened(t, Options{Dir: dir, Retain: 3, Retention: 200 * time.Millisecond})
	if d := l.Damage(); len(d) > 0 {
		t.Errorf("fewer retained is taken for damage: %v", d)
	}
	until(t, "all is expired", func() bool {
		s, err := l.State(t.Context())
		return err == nil && s == stream.State{First: 21, Last: 20}
	})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l = opened(t, Options{Dir: dir}); len(l.Damage()) > 0 {
		t.Errorf("expiry is taken for damage: %v", l.Damage())
	}
}

// TestBackupTellsGap would catch a cursor of the lost part that a restored backup takes for its own
// once it has grown past it.
func TestBackupTellsGap(t *testing.T) {
	dir, backup := t.TempDir(), t.TempDir()
	appendSome := func(l *Log) (ids []stream.ID) {
		for range 10 {
			seq, _, err := l.Append(t.Context(), stream.Draft{Site: "a", Data: payload})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, l.Chain().ID(seq))
		}
		return ids
	}
	closed := func(l *Log) {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l := opened(t, Options{Dir: dir})
	kept := appendSome(l)
	closed(l)
	copyDir(t, dir, backup)
	l = opened(t, Options{Dir: dir})
	lost := appendSome(l)
	closed(l)
	l = opened(t, Options{Dir: backup})
	appendSome(l)
	appendSome(l)
	for _, id := range kept {
		if why := l.Chain().Locate(id, 30); why != "" {
			t.Errorf("cursor %v of the kept part is %q", id, why)
		}
	}
	for _, id := range lost {
		if why := l.Chain().Locate(id, 30); why != stream.Foreign {
			t.Errorf("cursor %v of the lost part is %q, want %q", id, why, stream.Foreign)
		}
	}
}

// TestFollowSurvivesRestarts would catch a follower that stops, repeats or skips when the embedded
// server is restarted under it.
func TestFollowSurvivesRestarts(t *testing.T) {
	l := opened(t, Options{Dir: t.TempDir()})
	w := following(t, l)
	all := map[uint64]string{}
	for round := range 3 {
		for i := range 50 {
			text := fmt.Sprint(round, i)
			seq, _, err := l.Append(t.Context(), stream.Draft{Site: "a", Data: []byte(text)})
			if err != nil {
				t.Fatal(err)
			}
			all[seq] = text
		}
		l.state.worsen(errors.New("restart, please"))
		if err := l.repair(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the follower has everything", func() bool { return w.has(all) })
}
