package origin

import (
	"log/slog"
	"sync"
)

// maxRefusals bounds the memory that strangers can fill, and the log.
const maxRefusals = 1000

// Refusals remembers which refused origins were logged. The zero value is ready for use, also concurrently.
type Refusals struct {
	mu   sync.Mutex // guards told
	told map[string]bool
}

// Warn logs the first refusal of an origin by a site, with the variable to which the operator would add it to allow it.
// What is no origin that could be allowed is not repeated, since anything may stand there.
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

// first tells whether a key is new and there is room for it, and remembers it.
func (f *Refusals) first(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told[key] || len(f.told) >= maxRefusals {
		return false
	}
	if f.told == nil {
		f.told = make(map[string]bool)
	}
	f.told[key] = true
	return true
}

// allowable tells whether an origin could stand in a list of those allowed, for itself alone.
func allowable(origin string) bool {
	l, err := Parse([]string{origin})
	return err == nil && l.Allow(origin)
}
