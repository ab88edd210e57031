package origin

import (
	"log/slog"
	"sync"
)

// maxRefusals is how many refusals are logged at most. It bounds the memory and the log that strangers can fill.
const maxRefusals = 1000

// Refusals logs refused origins once each. The zero value is ready to use, also concurrently.
type Refusals struct {
	mu     sync.Mutex // guards logged
	logged map[string]bool
}

// Warn logs the first refusal of an origin by a site, with the variable to which the operator adds it to allow it. Of values
// that cannot be allowed it logs the first for each site, without the value, which may be anything. It logs at most 1,000
// refusals.
func (f *Refusals) Warn(logger *slog.Logger, site, variable, origin string) {
	key, possible := site+" "+origin, allowable(origin)
	if !possible {
		key = site
	}
	if !f.first(key) {
		return
	}
	if !possible {
		logger.Warn("page without an origin that could be allowed was refused: sandboxed frames and files have none; serve it from a web server",
			"site", site)
		return
	}
	logger.Warn("page of an origin that is not allowed was refused: to allow it, add the value to the variable",
		"site", site, "variable", variable, "value", origin)
}

// first records a key. It reports whether the key was new, and fewer than maxRefusals were recorded.
func (f *Refusals) first(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.logged[key] || len(f.logged) >= maxRefusals {
		return false
	}
	if f.logged == nil {
		f.logged = make(map[string]bool)
	}
	f.logged[key] = true
	return true
}

// allowable reports whether an origin is also a pattern that matches only itself.
func allowable(origin string) bool {
	l, err := Parse([]string{origin})
	return err == nil && l.Allow(origin)
}
