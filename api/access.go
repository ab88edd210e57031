package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/api/auth"
	"proofstream/api/origin"
)

// authorize returns the key that a request presents in its headers or in field, the one of its body. The error is a 401, the
// same for a missing key and every wrong one, or a 429 for an address that has tried too many wrong keys.
func (s *Server) authorize(r *http.Request, field string) (*auth.Key, error) {
	text := auth.Presented(r, field)
	if key := s.keys.Find(text); key != nil {
		return key, nil
	}
	if text != "" {
		if wait := s.failures.Wait(s.connections.Proxies.Client(r), time.Now()); wait > 0 {
			return nil, tooMany("Too many wrong API keys from this address: correct the key, then try again later", wait)
		}
	}
	return nil, badKey()
}

// limitRate counts a signup of a key, or returns a 429.
func limitRate(key *auth.Key) error {
	if wait := key.Wait(time.Now()); wait > 0 {
		return tooMany("Too many signups with this API key: try again later", wait)
	}
	return nil
}

// siteNamed returns the site that the query names, the default site when it names none, nil for an unknown one.
func (s *Server) siteNamed(r *http.Request) *Site {
	name := queryValue(r, "site")
	if name == "" {
		name = "default"
	}
	return s.sites[name]
}

// siteOf returns the site that the query names if pages of the request's origin may read it. The error is a 404 for an unknown
// site, and otherwise a 403.
func (s *Server) siteOf(c echo.Context) (*Site, error) {
	r := c.Request()
	site := s.siteNamed(r)
	if site == nil {
		return nil, &Problem{Status: http.StatusNotFound, Detail: "There is no such site: check data-site in the page's script tag"}
	}
	if from := r.Header.Get("Origin"); from != "" && !site.allows(r, from) {
		s.refusals.Warn(s.o.Logger, site.Name, site.OriginsVariable, from)
		return nil, &Problem{Status: http.StatusForbidden, Detail: "Pages of this origin may not subscribe: the service's log says what to do about it"}
	}
	return site, nil
}

// allows reports whether pages of an origin may read a site: those in its list, and the service's own.
func (site *Site) allows(r *http.Request, from string) bool {
	return site.Origins.Allow(from) || origin.SameHost(r, from)
}

// withCORS adds the headers by which browsers let pages of other origins read a response. Assets have headers of their own,
// the same for all pages: see package static.
func (s *Server) withCORS(next http.Handler) http.Handler {
	shared := origin.CORS(s.mayRead, []string{"Retry-After", "Date", requestHeader}, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/assets/") {
			w.Header().Set("Vary", "Origin")
			next.ServeHTTP(w, r)
			return
		}
		shared.ServeHTTP(w, r)
	})
}

// mayRead reports whether a page may read the response to a request. For posts an origin of any site may: a preflight has no
// key that names the site.
func (s *Server) mayRead(r *http.Request, from string) bool {
	if r.URL.Path == "/signup" || strings.HasPrefix(r.URL.Path, "/signup/") {
		for _, site := range s.sites {
			if site.allows(r, from) {
				return true
			}
		}
		return false
	}
	site := s.siteNamed(r)
	return site != nil && site.allows(r, from)
}
