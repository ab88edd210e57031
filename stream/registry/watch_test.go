package registry

import (
	"fmt"
	"testing"
)

// However many sites are in use, each is watched in its turn, and no turn is for more than watchedAtOnce.
func TestEachSiteIsWatchedInTurn(t *testing.T) {
	for _, tc := range []struct{ used, turns int }{{0, 1}, {1, 1}, {100, 1}, {101, 2}, {500, 5}} {
		var sites []*site
		for i := range tc.used + 7 {
			s := &site{name: fmt.Sprint("s", i)}
			if i < tc.used {
				s.state, s.users = following, 1
			}
			sites = append(sites, s)
		}
		watched := map[*site]int{}
		for turn := range 2 * tc.turns {
			sites = append(sites[1:], sites[0]) // allSites has no order
			due := inTurn(turn, sites)
			if len(due) > watchedAtOnce {
				t.Errorf("%d of %d sites are watched at once", len(due), tc.used)
			}
			for _, s := range due {
				watched[s]++
			}
		}
		for s, n := range watched {
			if n != 2 || s.users == 0 {
				t.Errorf("site %s with %d users, one of %d, was watched %d times in %d turns", s.name, s.users, tc.used, n, 2*tc.turns)
			}
		}
		if len(watched) != tc.used {
			t.Errorf("%d of %d sites were watched", len(watched), tc.used)
		}
	}
}
