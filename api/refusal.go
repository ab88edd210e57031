package api

import (
	"fmt"
	"net/http"
	"sync"

	"proofstream/api/origin"
	"proofstream/stream"
)

// refuseOrigin returns the 403 for a page of an origin that may not read a site. It logs the first refusal of an origin by a
// site, with the value that would allow it. What is no origin, and null, are never repeated: they may hold anything.
func (s *Server) refuseOrigin(site *Site, from string) *Problem {
	if !origin.Allowable(from) {
		if s.refusedOrigins.first(site.Name) {
			s.o.Logger.Warn("page without an origin that could be allowed was refused: sandboxed frames and files have none; serve it from a web server",
				"site", site.Name)
		}
		return &Problem{Status: http.StatusForbidden, Public: true,
			Detail: "A page without an origin of its own, such as a file or a sandboxed frame, may not read events: " +
				"serve it from a web server, and list its origin in " + site.OriginsVariable}
	}
	if s.refusedOrigins.first(site.Name + " " + from) {
		s.o.Logger.Warn("page of an origin that is not allowed was refused: to allow it, add the value to the variable",
			"site", site.Name, "variable", site.OriginsVariable, "value", from)
	}
	return &Problem{Status: http.StatusForbidden, Public: true,
		Detail: fmt.Sprintf("Pages of this origin may not read this site: to allow them, set %s=%s for the service, after a comma if it lists others",
			site.OriginsVariable, from)}
}

// refuseSite returns the 404 for a site that does not exist. It logs the first refusal of each name. A name that no site can
// have is not logged, nor an API key: someone may have put it in place of the name. The response is the same for all names,
// so that nobody can try keys by it.
func (s *Server) refuseSite(name string) *Problem {
	const advice = "correct data-site in the page's script tag"
	if !stream.ValidSite(name) || s.keys.Find(name) != nil {
		if s.refusedSites.first("") {
			s.o.Logger.Warn("request for a site whose name no site can have was refused: " + advice)
		}
	} else if s.refusedSites.first(name) {
		s.o.Logger.Warn("request for a site that does not exist was refused: "+advice+", or add the site with the value in the variable",
			"variable", s.o.NewSiteVariable, "value", name)
	}
	return &Problem{Status: http.StatusNotFound, Public: true,
		Detail: "No site of this service has this name: " + advice + ", or add the site to the service by setting " +
			s.o.NewSiteVariable + " to the name"}
}

// maxFirsts is how many keys a firsts holds. It bounds the memory and the log that requests can fill.
const maxFirsts = 1000

// firsts remembers keys, at most maxFirsts, so that each is logged once. The zero value is ready to use, also concurrently.
type firsts struct {
	mu   sync.Mutex // guards seen
	seen map[string]bool
}

// first records a key. It reports whether the key was new and there was room for it.
func (f *firsts) first(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen[key] || len(f.seen) >= maxFirsts {
		return false
	}
	if f.seen == nil {
		f.seen = make(map[string]bool)
	}
	f.seen[key] = true
	return true
}
