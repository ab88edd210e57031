package stream

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestNewEpochsNameTheOrigin(t *testing.T) {
	h := NewEpochs(1)
	b := Bounds{Low: 1, Epochs: h}
	origin := h.Cursor(0)
	if why, seen := b.Check(origin); why != "" || seen != 0 || origin == h.ID(1) || origin.Epoch == h.ID(1).Epoch {
		t.Errorf("origin %v of %v gets %q", origin, h, why)
	}
	if why, _ := b.Check(ID{h[1].Name, 1}); why != Ahead {
		t.Errorf("the first event before it is stored gets %q, want %q", why, Ahead)
	}
	if h[0].Name == NewEpochs(1)[0].Name {
		t.Error("two logs have the same origin")
	}
}

func TestCheck(t *testing.T) {
	sound := Bounds{Low: 41, High: 200, Epochs: Epochs{{"aa", 1, false}, {"bb", 101, false}, {"cc", 151, false}}}
	damaged := Bounds{Low: 41, High: 200, Epochs: Epochs{{"aa", 1, true}, {"bb", 101, true}, {"cc", 151, false}}}
	empty := Bounds{Low: 151, High: 150, Epochs: Epochs{{"bb", 101, false}, {"cc", 151, false}}}
	for _, tt := range []struct {
		name string
		b    Bounds
		id   ID
		why  Reason
		seen uint64
	}{
		{"an event of the oldest epoch", sound, ID{"aa", 50}, "", 50},
		{"the last before the low watermark", sound, ID{"aa", 40}, "", 40},
		{"one that missed something that has expired", sound, ID{"aa", 39}, Expired, 39},
		{"the oldest epoch's last", sound, ID{"aa", 100}, "", 100},
		{"from what the oldest epoch lost", sound, ID{"aa", 101}, EpochChanged, 0},
		{"the newest", sound, ID{"cc", 200}, "", 200},
		{"the end of an epoch, named by the next", sound, ID{"cc", 150}, "", 150},
		{"beyond the newest", sound, ID{"cc", 201}, Ahead, 0},
		{"an epoch of another log", sound, ID{"zz", 50}, EpochChanged, 0},
		{"from before damage", damaged, ID{"aa", 50}, EpochChanged, 50},
		{"the newest from before damage", damaged, ID{"bb", 150}, EpochChanged, 150},
		{"from what was lost", damaged, ID{"bb", 151}, EpochChanged, 0},
		{"given since the damage for an event from before it", damaged, ID{"cc", 50}, "", 50},
		{"the newest when nothing is kept", empty, ID{"bb", 150}, "", 150},
		{"older when nothing is kept", empty, ID{"bb", 149}, Expired, 149},
		{"beyond the newest of an empty epoch", empty, ID{"cc", 151}, Ahead, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if why, seen := tt.b.Check(tt.id); why != tt.why || seen != tt.seen {
				t.Errorf("got %q, %d; want %q, %d", why, seen, tt.why, tt.seen)
			}
		})
	}
}

// TestCursorsAfterDamage would catch an idle site whose clients get a gap again and again.
func TestCursorsAfterDamage(t *testing.T) {
	h := NewEpochs(1).Open(0).Damaged(30)
	given := h.Cursor(30)
	for range 5 {
		h = h.Open(30)
		if why, _ := (Bounds{Low: 1, High: 30, Epochs: h}).Check(given); why != "" || len(h) > 4 {
			t.Errorf("cursor %v gets %q in %v", given, why, h)
		}
	}
	if event := h.ID(30); event == given {
		t.Errorf("event 30 has changed its id to %v", event)
	}
}

// TestTrimKeepsWhatIsInUse would catch a histeps that grows without end, or that forgets an epoch while it names an event or a
// cursor that can be continued from.
func TestTrimKeepsWhatIsInUse(t *testing.T) {
	h := NewEpochs(1)
	for high := uint64(10); high < 5000; high += 10 {
		h = h.Open(high)
	}
	for _, low := range []uint64{1, 2, 100, 101, 102, 3000, 4991, 5000} {
		b := Bounds{Low: low, High: 5000, Epochs: h.Trim(low)}
		for seq := low - 1; seq <= 5000; seq++ {
			why, _ := b.Check(h.Cursor(seq))
			if why != "" || seq >= low && b.Epochs.ID(seq) != h.ID(seq) {
				t.Fatalf("low %d: cursor %v gets %q, the event is %v", low, h.Cursor(seq), why, b.Epochs.ID(seq))
			}
		}
		if n := uint64(len(b.Epochs)); n > (5000-low)/10+keepEpochs+1 {
			t.Errorf("low %d: %d epochs stay", low, n)
		}
	}
}

// life is the simulated life of a log that is restarted, trimmed, damaged, and restored to what it was, as a reference for Check.
type life struct {
	bounds  Bounds
	content []int       // content[seq-1] is the number of the event that is at seq now, 0 when it is lost or removed
	given   map[ID]int  // event ids, and what they named
	cursors map[ID]seen // every cursor that was ever given
	events  int
	damaged int // which damage was the last
}

// seen is what the client of a cursor may have: the events that were kept up to there, by sequence, 0 for others.
type seen struct {
	content []int
	damage  int
}

func (l *life) clone() *life {
	c := *l
	c.content = append([]int(nil), l.content...)
	return &c
}

func (l *life) append(n int) {
	for range n {
		l.events++
		l.bounds.High++
		l.content = append(l.content, l.events)
		l.given[l.bounds.Epochs.ID(l.bounds.High)] = l.events
	}
}

// giveCursor gives a client a cursor as the registry does: event ids and cursors at any sequence up to the newest.
func (l *life) giveCursor(r *rand.Rand) {
	seq := l.bounds.Low - 1 + r.Uint64N(l.bounds.High-l.bounds.Low+2)
	have := seen{append([]int(nil), l.content[:seq]...), l.damaged}
	l.cursors[l.bounds.Epochs.Cursor(seq)] = have
	if i := l.bounds.Epochs.at(seq); seq > 0 && !l.bounds.Epochs[i].Lost {
		l.cursors[l.bounds.Epochs.ID(seq)] = have
	}
}

func (l *life) trim(n uint64) {
	for ; n > 0 && l.bounds.Low <= l.bounds.High; n-- {
		l.content[l.bounds.Low-1] = 0
		l.bounds.Low++
	}
	l.bounds.Epochs = l.bounds.Epochs.Trim(l.bounds.Low)
}

// damage loses some events anywhere, and the newest without a trace.
func (l *life) damage(r *rand.Rand) {
	high := l.bounds.Low - 1 + r.Uint64N(l.bounds.High-l.bounds.Low+2)
	for seq := l.bounds.Low; seq <= high; seq++ {
		if r.IntN(4) == 0 {
			l.content[seq-1] = 0
		}
	}
	l.content, l.bounds.High = l.content[:high], high
	l.bounds.Epochs = l.bounds.Epochs.Damaged(high)
	l.damaged = r.Int()
}

// check compares Check with what each client has: one whose cursor is complete has no event that this log knows as another one,
// and was given after the last damage.
func (l *life) check(t *testing.T, steps []string) {
	t.Helper()
	for cursor, have := range l.cursors {
		why, seenUpTo := l.bounds.Check(cursor)
		if why != "" {
			if seenUpTo > cursor.Seq {
				t.Fatalf("%v: cursor %v gets seen = %d", steps, cursor, seenUpTo)
			}
			continue
		}
		if cursor.Seq > l.bounds.High || cursor.Seq+1 < l.bounds.Low || int(cursor.Seq) != len(have.content) {
			t.Fatalf("%v: cursor %v is complete with %+v", steps, cursor, l.bounds)
		}
		for i, event := range l.content[:cursor.Seq] {
			if was := have.content[i]; event != 0 && was != 0 && was != event {
				t.Fatalf("%v: cursor %v is complete, but its client has event %d where %d is", steps, cursor, was, event)
			}
		}
		if have.damage != l.damaged {
			t.Fatalf("%v: cursor %v from before damage is complete", steps, cursor)
		}
	}
	for seq := l.bounds.Low; seq <= l.bounds.High; seq++ {
		if event := l.content[seq-1]; event != 0 && l.given[l.bounds.Epochs.ID(seq)] != event {
			t.Fatalf("%v: event %d at %d has the id %v of event %d", steps, event, seq, l.bounds.Epochs.ID(seq), l.given[l.bounds.Epochs.ID(seq)])
		}
	}
}

// TestNoCursorIsWronglyComplete lets logs live through every kind of loss. A cursor that may have missed something must never
// be complete, and no event may get another one's id.
func TestNoCursorIsWronglyComplete(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		l := &life{bounds: Bounds{Low: 1, Epochs: NewEpochs(1)}, given: map[ID]int{}, cursors: map[ID]seen{}}
		backup, steps := l.clone(), []string(nil)
		for range 30 {
			what := ""
			switch r.IntN(12) {
			case 0, 1:
				what, l.bounds.Epochs = "restart", l.bounds.Epochs.Open(l.bounds.High).Trim(l.bounds.Low)
			case 2:
				what = "trim"
				l.trim(r.Uint64N(6))
			case 3:
				what = "damage"
				l.damage(r)
			case 4:
				what, backup = "backup", l.clone()
			case 5:
				what, backup.events = "restore", l.events
				l = backup.clone()
				l.bounds.Epochs = l.bounds.Epochs.Open(l.bounds.High)
			case 6:
				if r.IntN(4) == 0 { // the directory is deleted
					what = "delete"
					l.bounds, l.content = Bounds{Low: 1, Epochs: NewEpochs(1)}, nil
				}
			case 7, 8:
				what = fmt.Sprint("append from ", l.bounds.High)
				l.append(r.IntN(8))
			default:
				l.giveCursor(r)
			}
			if what != "" {
				steps = append(steps, what)
			}
			l.check(t, steps)
		}
	}
}
