package api

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/rs/cors"
)

// withCORS tells browsers what pages of other origins may read. It never refuses: the handlers do,
// since a page that may not read an answer would still have been sent it.
func (s *Server) withCORS(next http.Handler) http.Handler {
	shared := cors.New(cors.Options{
		AllowOriginVaryRequestFunc: func(r *http.Request, origin string) (bool, []string) {
			return s.mayRead(r, origin), nil
		},
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete},
		AllowedHeaders: []string{"Content-Type", "Authorization", "X-API-Key", "Idempotency-Key", "Last-Event-ID", "Cache-Control", "Accept"},
		ExposedHeaders: []string{"Retry-After", "Date", requestHeader},
		MaxAge:         600, // seconds
	}).Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/assets/") {
			w.Header().Set("Vary", "Origin")
			next.ServeHTTP(w, r) // allowed to all pages alike, see assets.go
			return
		}
		shared.ServeHTTP(w, r)
	})
}

// mayRead tells whether a page may read the answer to a request. A preflight carries no key, so
// for posts the origins of all sites together count.
func (s *Server) mayRead(r *http.Request, origin string) bool {
	if origin == "" { // no page of another origin asks
		return false
	}
	if r.URL.Path == "/signup" || strings.HasPrefix(r.URL.Path, "/signup/") {
		for _, site := range s.sites {
			if allowed(r, site, origin) {
				return true
			}
		}
		return false
	}
	name := r.URL.Query().Get("site")
	if name == "" {
		name = "default"
	}
	site := s.sites[name]
	return site != nil && allowed(r, site, origin)
}

// allowed tells whether pages of an origin may talk to a site: those listed, and the service's own.
func allowed(r *http.Request, site *Site, origin string) bool {
	return site.Origins.Allow(origin) || own(r, origin)
}

// own tells whether an origin is the service's: its host and port are those of the request's Host.
// The scheme does not count, for a proxy may have ended TLS.
func own(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, r.Host) &&
		strings.EqualFold(origin, u.Scheme+"://"+u.Host) // nothing but an origin (WHATWG HTML section 7.1.1)
}

// refusals remembers which origins the operator has been told of.
type refusals struct {
	mu   sync.Mutex // guards told
	told map[string]bool
}

// maxRefusals bounds the memory that strangers can fill, and the log.
const maxRefusals = 1000

// warn logs the first refusal of an origin, with the setting that would allow it.
func (f *refusals) warn(logger *slog.Logger, site *Site, origin string) {
	if len(origin) > 300 {
		origin = origin[:300]
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key := site.Name + " " + origin
	if f.told[key] || len(f.told) >= maxRefusals {
		return
	}
	if f.told == nil {
		f.told = make(map[string]bool)
	}
	f.told[key] = true
	logger.Warn("page of an origin that is not allowed was refused: to allow it, add the value to the variable",
		"site", site.Name, "variable", site.OriginsVariable, "value", origin)
}
