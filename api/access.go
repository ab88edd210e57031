package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/api/auth"
	"proofstream/api/origin"
)

// otherScheme reports whether a request has an Authorization header without a Bearer key.
func otherScheme(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return scheme != "" && !strings.EqualFold(scheme, "Bearer")
}

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
	if otherScheme(r) {
		return nil, withoutScheme()
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

// siteName returns the name of the site that the query asks for; it need not exist.
func siteName(r *http.Request) string {
	if name := queryValue(r, "site"); name != "" {
		return name
	}
	return "default"
}

// siteOf returns the site that the query names if pages of the request's origin may read it. The error is a 404 for an unknown
// site, and otherwise a 403.
func (s *Server) siteOf(c echo.Context) (*Site, error) {
	r := c.Request()
	name := siteName(r)
	site := s.sites[name]
	if site == nil {
		return nil, s.refuseSite(name)
	}
	if from := r.Header.Get("Origin"); from != "" && !s.allows(site.Name, r, from) {
		return nil, s.refuseOrigin(site, from)
	}
	return site, nil
}

// allows reports whether pages of an origin may read a site: those in its list, and the service's own.
func (s *Server) allows(site string, r *http.Request, from string) bool {
	return s.lists(site, from) || origin.SameHost(r, from)
}

// lists reports whether an origin is in the list of a site.
func (s *Server) lists(site, from string) bool { return (*s.origins.Load())[site].Allow(from) }

// requestHeaders are the headers that a page may add to a request.
var requestHeaders = []string{"Content-Type", "Authorization", "X-API-Key", "Idempotency-Key", "Last-Event-ID", "Cache-Control", "Accept"}

// exposedHeaders are the headers that a page may read of a response, beside the safelisted ones (Fetch section 2.2.2).
var exposedHeaders = []string{"Retry-After", "Date", requestHeader}

// withCORS adds the headers that make browsers let pages of other origins read a response. A page may add any header to a
// request for /recent, since monitoring agents add theirs (traceparent, baggage) to what a page fetches. Assets have headers of
// their own, the same for all pages: see package static.
func (s *Server) withCORS(next http.Handler) http.Handler {
	documented := origin.CORS(s.mayRead, requestHeaders, exposedHeaders, next)
	anyHeader := origin.CORS(s.mayRead, []string{"*"}, exposedHeaders, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/assets/"):
			w.Header().Set("Vary", "Origin")
			next.ServeHTTP(w, r)
		case r.URL.Path == "/recent":
			anyHeader.ServeHTTP(w, r)
		default:
			documented.ServeHTTP(w, r)
		}
	})
}

// mayRead reports whether a page may read the response to a request. For posts an origin of any site may: a preflight has no
// key that names the site. The operator's list is for the service's own pages.
func (s *Server) mayRead(r *http.Request, from string) bool {
	switch {
	case strings.HasPrefix(r.URL.Path, "/admin/"):
		return origin.SameHost(r, from)
	case r.URL.Path == "/signup" || strings.HasPrefix(r.URL.Path, "/signup/"):
		for name := range s.sites {
			if s.allows(name, r, from) {
				return true
			}
		}
		return false
	}
	name := siteName(r)
	return s.sites[name] != nil && s.allows(name, r, from)
}
