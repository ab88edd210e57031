package sqlitelog

import (
	"slices"
	"strings"
	"testing"
)

// The power loss tests trace what a writing process does to its files and repeat it on a model of a disk, whose power
// they cut at many moments. From what then is left of the files, a log has to start, without reporting damage, with
// every event that was acknowledged up to that moment, and nothing that was erased. PROOF_TEST_LONG=1 cuts at every moment.

// TestPowerLoss covers the first start in a directory that is new, checkpoints, erasures, retention and clean restarts.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	c := newCutter(t, plan{Runs: 3, Events: 40, Size: 6000, Limit: 60, Erase: true})
	c.run()
	c.end(func(moments map[string]int) bool {
		return moments["mkdirat new"] > 0 && moments["pwrite64 proofstream.db"] > 50 && moments["ftruncate proofstream.db-wal"] > 5 && c.erased > 10
	})
}

// TestPowerLossWithoutErasures lets the write-ahead log grow until SQLite starts to write it from the beginning again.
func TestPowerLossWithoutErasures(t *testing.T) {
	t.Parallel()
	c := newCutter(t, plan{Runs: 1, Events: 150, Size: 6000, Limit: 1e6})
	c.run()
	c.end(func(moments map[string]int) bool { return moments["pwrite64 proofstream.db"] > 500 })
}

// TestPowerLossAfterFailedSyncs has some syncs fail: what they should have put on disk is lost although it reads as
// if it were there, unless it is written again.
func TestPowerLossAfterFailedSyncs(t *testing.T) {
	t.Parallel()
	c := newCutter(t, plan{Runs: 1, Events: 60, Size: 4000, Limit: 100, Erase: true})
	c.run("-e", "inject=fsync,fdatasync:error=EIO:when=5+11")
	c.end(func(map[string]int) bool { return c.replay.failed > 5 && len(c.refused) > 5 })
	if !slices.ContainsFunc(c.refused, func(line string) bool { return strings.Contains(line, "the disk reports an error") }) {
		t.Errorf("appends whose sync failed ended with %q; want the reason", c.refused)
	}
}

// TestPowerLossAfterAKill has a sync fail and the writer die of it. The next one finds events in memory that are not
// on disk, and may call a retry a duplicate only once they are.
func TestPowerLossAfterAKill(t *testing.T) {
	t.Parallel()
	c := newCutter(t, plan{Runs: 1, Events: 80, Size: 4000, Limit: 1e6, Die: true})
	c.run("-e", "inject=fsync,fdatasync:error=EIO:when=25+1")
	before := len(c.stored)
	c.plan.Die, c.plan.Name = false, "again"
	c.run()
	c.end(func(map[string]int) bool { return c.replay.failed > 0 && before > 10 && len(c.stored) > before })
}
