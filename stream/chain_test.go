package stream

import (
	"fmt"
	"maps"
	"math/rand/v2"
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

// A log lives through restarts, lost tails and restored backups. Every id of an event that is in it
// must be a position of it, with the sequence it was given; every id of a lost event must be told.
func TestChainOverManyLives(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 7))
		var chain, backupChain Chain
		var last, backupLast uint64
		live, lost, backup := map[ID]bool{}, map[ID]bool{}, map[ID]bool{}
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
			chain = chain.Open(fmt.Sprintf("e%d", life), last, 100)
			for range random.IntN(6) {
				last++
				live[chain.ID(last)] = true
			}
			switch random.IntN(4) {
			case 0: // a power cut with relaxed fsync
				to := last - min(last, random.Uint64N(4))
				cut(to, func(id ID) bool { return id.Seq <= to })
			case 1:
				backupChain, backupLast, backup = chain, last, maps.Clone(live)
			case 2:
				if backupChain != nil {
					chain = backupChain
					cut(backupLast, func(id ID) bool { return backup[id] })
					live = maps.Clone(backup)
				}
			}
		}
		chain = chain.Open("now", last, 100)
		last++ // one event of the new life
		for id := range live {
			if reason := chain.Locate(id, last); reason != "" || chain.ID(id.Seq) != id {
				t.Fatalf("seed %d: %s is in the log, but is %q and renamed %s", seed, id, reason, chain.ID(id.Seq))
			}
		}
		for id := range lost { // a backup may have brought it back
			if reason := chain.Locate(id, last); reason == "" && !live[id] {
				t.Fatalf("seed %d: %s was lost, but counts as a position", seed, id)
			}
		}
	}
}
