package stream

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"
)

func TestChainJudgesPositions(t *testing.T) {
	chain := Chain{{Name: "aa", First: 1}, {Name: "bb", First: 101}, {Name: "cc", First: 151}}
	for _, tc := range []struct {
		name string
		id   ID
		head uint64
		want Reason
	}{
		{"an id of the oldest epoch", ID{"aa", 50}, 200, ""},
		{"the oldest epoch's last", ID{"aa", 100}, 200, ""},
		{"from a tail that the oldest epoch lost", ID{"aa", 101}, 200, Foreign},
		{"the newest id", ID{"cc", 200}, 200, ""},
		{"beyond the newest", ID{"cc", 201}, 200, Ahead},
		{"beyond the newest while the newest epoch is empty", ID{"bb", 151}, 150, Ahead},
		{"the position before everything", ID{"aa", 0}, 0, ""},
		{"an epoch of another log", ID{"zz", 50}, 200, Foreign},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := chain.Locate(tc.id, tc.head); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// broken is a chain of a log in which damage was found when it ended at 150.
var broken = Chain{{Name: "dd", First: 151, Former: Chain{{Name: "aa", First: 1}, {Name: "bb", First: 101}}}, {Name: "ee", First: 161}}

// Events keep their ids over damage, and nobody goes on from a position before it.
func TestBrokenChainNamesEventsAndTellsGaps(t *testing.T) {
	for _, tc := range []struct {
		name string
		id   ID
		why  Reason
		seen bool
	}{
		{"an event from before the damage", ID{"aa", 50}, Foreign, true},
		{"the newest that was left", ID{"bb", 150}, Foreign, true},
		{"from the tail that was lost", ID{"bb", 151}, Foreign, false},
		{"from a tail that was lost before", ID{"aa", 101}, Foreign, false},
		{"an epoch of another log", ID{"zz", 50}, Foreign, false},
		{"an old position that was given since", ID{"dd", 50}, "", false},
		{"the first event since", ID{"dd", 151}, "", false},
		{"the newest event", ID{"ee", 170}, "", false},
	} {
		why, seen := broken.Locate(tc.id, 170), broken.Seen(tc.id)
		if why != tc.why || seen != tc.seen {
			t.Errorf("%s: got %q and seen %v, want %q and %v", tc.name, why, seen, tc.why, tc.seen)
		}
	}
	for seq, want := range map[uint64][2]ID{ // of the event, and the position there
		1:   {{"aa", 1}, {"dd", 1}},
		100: {{"aa", 100}, {"dd", 100}},
		101: {{"bb", 101}, {"dd", 101}},
		150: {{"bb", 150}, {"dd", 150}},
		151: {{"dd", 151}, {"dd", 151}},
		170: {{"ee", 170}, {"ee", 170}},
	} {
		if got := [2]ID{broken.ID(seq), broken.Position(seq)}; got != want {
			t.Errorf("%d is %v, want %v", seq, got, want)
		}
	}
}

// An idle site is restarted again and again after damage: the positions that its visitors were given stay good.
func TestPositionsGivenAfterDamageOutliveEmptyEpochs(t *testing.T) {
	chain := Chain{{Name: "aa", First: 1}}.Break("bb", 30, 10)
	given := chain.Position(30)
	for _, name := range []string{"cc", "dd", "ee"} {
		chain = chain.Open(name, 30, 10)
		if why := chain.Locate(given, 30); why != "" || len(chain) != 2 {
			t.Errorf("in epoch %s the position %v is %q, the chain %v", name, given, why, chain)
		}
	}
	chain = chain.Open("ff", 25, 10) // a tail that nobody knew of is lost
	for id, want := range map[ID]Reason{{"bb", 25}: "", {"bb", 30}: Foreign} {
		if why := chain.Locate(id, 40); why != want {
			t.Errorf("after a shorter log %v is %q, want %q", id, why, want)
		}
	}
	if got := chain.ID(25); got != (ID{"aa", 25}) {
		t.Errorf("25 is %v", got)
	}
}

// An older program knows nothing of former epochs: it then finds the chain that it would have made itself.
func TestOlderProgramsReadABrokenChain(t *testing.T) {
	text, err := json.Marshal(broken)
	if err != nil {
		t.Fatal(err)
	}
	var older []struct {
		Name  string
		First uint64
	}
	if err := json.Unmarshal(text, &older); err != nil || fmt.Sprint(older) != "[{dd 151} {ee 161}]" {
		t.Errorf("got %v, %v", older, err)
	}
	var same Chain
	if err := json.Unmarshal(text, &same); err != nil || !reflect.DeepEqual(same, broken) {
		t.Errorf("got %v, %v", same, err)
	}
	if plain, err := json.Marshal(Chain{{Name: "aa", First: 1}}); string(plain) != `[{"name":"aa","first":1}]` {
		t.Errorf("got %s, %v", plain, err)
	}
}

// A log lives through restarts, lost tails, restored backups and damage. Every id of an event that is in it must name
// it, and be a position of it unless damage was found since; every id of a lost event must be told.
func TestChainOverManyLives(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 7))
		var chain, backupChain Chain
		var last, backupLast uint64
		live, lost, backup := map[ID]bool{}, map[ID]bool{}, map[ID]bool{} // live: true until damage was found
		begin := chain.Open
		cut := func(to uint64, keep func(ID) bool) {
			for id := range live {
				if !keep(id) {
					delete(live, id)
					lost[id] = true
				}
			}
			last = to
		}
		for life := range 8 {
			chain = begin(fmt.Sprintf("e%d", life), last, 100)
			for range random.IntN(6) {
				last++
				id := chain.ID(last)
				if _, ok := live[id]; ok || lost[id] {
					t.Fatalf("seed %d: %s is given twice", seed, id)
				}
				live[id] = true
			}
			begin = chain.Open
			switch random.IntN(5) {
			case 0: // a power cut with relaxed fsync
				to := last - min(last, random.Uint64N(4))
				cut(to, func(id ID) bool { return id.Seq <= to })
			case 1:
				backupChain, backupLast, backup = chain, last, maps.Clone(live)
			case 2:
				if backupChain != nil {
					chain = backupChain
					cut(backupLast, func(id ID) bool { _, ok := backup[id]; return ok })
					live = maps.Clone(backup)
					begin = chain.Open
				}
			case 3: // damage, perhaps to the tail too
				to := last - min(last, random.Uint64N(3))
				cut(to, func(id ID) bool { return id.Seq <= to && random.IntN(4) > 0 })
				for id := range live {
					live[id] = false
				}
				begin = chain.Break
			}
		}
		chain = begin("now", last, 100)
		last++ // one event of the new life
		for id, whole := range live {
			if reason := chain.Locate(id, last); (reason == "") != whole || chain.ID(id.Seq) != id || !whole && !chain.Seen(id) {
				t.Fatalf("seed %d: %s is in the log (no damage since: %v), but is %q and called %s", seed, id, whole, reason, chain.ID(id.Seq))
			}
		}
		for id := range lost { // a backup may have brought it back
			if reason := chain.Locate(id, last); reason == "" && !live[id] {
				t.Fatalf("seed %d: %s was lost, but counts as a position", seed, id)
			}
		}
	}
}
