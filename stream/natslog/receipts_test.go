package natslog

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"proofstream/stream"
)

// receipts are what a writer has told.
type receipts struct {
	stored   map[uint64]receipt // acknowledged
	erasing  map[uint64]bool    // may be gone
	erased   map[uint64]string  // must be gone, with the text
	refusals int
	damaged  int // logs that were called damaged when they were checked
}

type receipt struct{ id, text string }

func newReceipts() receipts {
	return receipts{stored: map[uint64]receipt{}, erasing: map[uint64]bool{}, erased: map[uint64]string{}}
}

// take notes a line of writeAsPlanned.
func (r *receipts) take(t *testing.T, line string) {
	t.Helper()
	var seq uint64
	var id, text string
	switch line[0] {
	case '+':
		fmt.Sscanf(line, "+ %d %s %s", &seq, &id, &text)
		if was, ok := r.stored[seq]; ok && was.text != text {
			t.Errorf("%d was given to %s and to %s", seq, was.text, text)
		} else if !ok {
			r.stored[seq] = receipt{id, text}
		}
	case '?':
		fmt.Sscanf(line, "? %d", &seq)
		r.erasing[seq] = true
	case '-':
		fmt.Sscanf(line, "- %d %s", &seq, &text)
		r.erased[seq] = text
	case '!':
		r.refusals++
	}
}

// check opens the log in dir and compares it with what was told.
func (r *receipts) check(t *testing.T, dir string, p plan) {
	t.Helper()
	r.checkErased(t, dir)
	o := Options{Dir: dir, Fsync: p.Fsync, Retain: 1e6, Logger: slog.New(slog.DiscardHandler)}
	l, err := Open(t.Context(), o)
	if err != nil {
		t.Errorf("after %d events: %v", len(r.stored), err)
		return
	}
	defer l.Close()
	if d := l.Damage(); len(d) > 0 {
		if r.damaged++; p.Fsync == 0 {
			t.Errorf("after %d events a power cut was taken for damage: %v", len(r.stored), d)
		}
	}
	kept := r.read(t, l, p)
	lost := r.compare(t, l, kept)
	if len(lost) > 0 && (p.Fsync == 0 || p.Close) {
		t.Errorf("%d of %d events acknowledged are lost, from %d to %d", len(lost), len(r.stored), lost[0], lost[len(lost)-1])
	}
	if len(lost) > 0 && len(kept) > 0 && lost[0] < slices.Max(slices.Collect(maps.Keys(kept))) {
		t.Errorf("%d is lost, and not what came after it", lost[0])
	}
	r.checkNext(t, l)
	r.checkTold(t, l, lost)
}

// compare returns what was acknowledged and is not there.
func (r *receipts) compare(t *testing.T, l *Log, kept map[uint64]string) (lost []uint64) {
	t.Helper()
	for seq, was := range r.stored {
		id := l.Chain().ID(seq)
		switch {
		case kept[seq] == was.text:
			if id.String() != was.id {
				t.Errorf("%s was acknowledged as %s, is %v", was.text, was.id, id)
			}
		case !r.erasing[seq]:
			lost = append(lost, seq)
		}
	}
	slices.Sort(lost)
	return lost
}

// checkTold looks whether a visitor who has seen an event that is lost is told of a gap, and one who has seen
// any other is not, but for a log that is called damaged, where all are.
func (r *receipts) checkTold(t *testing.T, l *Log, lost []uint64) {
	t.Helper()
	state, err := l.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for seq, was := range r.stored {
		id, err := stream.ParseID(was.id)
		if err != nil {
			t.Fatal(err)
		}
		why := l.Chain().Locate(id, state.Last)
		if _, gone := slices.BinarySearch(lost, seq); gone && why == "" {
			t.Fatalf("%v is lost, and called a position", id)
		} else if !gone && why != "" && len(l.Damage()) == 0 {
			t.Fatalf("%v is there, and called %q", id, why)
		}
	}
}

// read returns the texts of all events: each once, in order and whole.
func (r *receipts) read(t *testing.T, l *Log, p plan) map[uint64]string {
	t.Helper()
	kept, once := map[uint64]string{}, map[string]bool{}
	state, err := l.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if state.Events == 0 {
		return kept
	}
	last := uint64(0)
	for e, err := range l.Follow(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		text, _, _ := strings.Cut(string(e.Data), ";")
		text += ";"
		switch {
		case !bytes.Equal(e.Data, payloadOf(text, p.Size)) || !strings.HasPrefix(text, p.Name+"/"):
			t.Errorf("%d was altered: %.60q", e.Seq, e.Data)
		case once[text]:
			t.Errorf("%s is in the log twice", text)
		case e.Seq <= last:
			t.Errorf("%d comes after %d", e.Seq, last)
		case r.erased[e.Seq] != "":
			t.Errorf("%d was erased and is back", e.Seq)
		}
		if other, ok := r.stored[e.Seq]; ok && other.text != text {
			t.Errorf("%d was acknowledged as %s and is %s", e.Seq, other.text, text)
		}
		kept[e.Seq], once[text], last = text, true, e.Seq
		if e.Pending == 0 {
			break
		}
	}
	return kept
}

// checkNext appends an event: its id was never told for another.
func (r *receipts) checkNext(t *testing.T, l *Log) {
	t.Helper()
	seq, _, err := l.Append(t.Context(), stream.Draft{Site: "a", Data: []byte("next")})
	if err != nil {
		t.Errorf("append after a power cut: %v", err)
		return
	}
	id := l.Chain().ID(seq)
	for _, was := range r.stored {
		if epoch, _, _ := strings.Cut(was.id, "-"); epoch == id.Epoch {
			t.Errorf("%v continues the epoch of %s", id, was.id)
		}
	}
}

// checkErased looks for what was erased in all files.
func (r *receipts) checkErased(t *testing.T, dir string) {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(dir, "jetstream/*/streams/*/msgs/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range blocks {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range r.erased {
			if bytes.Contains(b, []byte(text)) {
				t.Errorf("%s was erased, and is in %s", text, filepath.Base(path))
			}
		}
	}
}
