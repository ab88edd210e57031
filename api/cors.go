package api

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
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
		orderRequested(r.Header)
		shared.ServeHTTP(w, r)
	})
}

// orderRequested gives the names of headers that a preflight asks for the form in which browsers send
// them (Fetch section 4.8), and without which rs/cors refuses them: lower case, sorted, once each. Whoever
// tries out a preflight by hand writes them as he likes.
func orderRequested(h http.Header) {
	const name = "Access-Control-Request-Headers"
	asked := h.Values(name)
	if len(asked) == 0 {
		return
	}
	names := strings.FieldsFunc(strings.ToLower(strings.Join(asked, ",")), func(r rune) bool {
		return r == ',' || r == ' ' || r == '\t'
	})
	slices.Sort(names)
	h.Set(name, strings.Join(slices.Compact(names), ","))
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
	name := queryValue(r, "site")
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
// The scheme does not count, for a proxy may have ended TLS; nor does its usual port, which some proxies write out.
func own(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || !strings.EqualFold(origin, u.Scheme+"://"+u.Host) { // nothing but an origin (WHATWG HTML section 7.1.1)
		return false
	}
	port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return port != "" && strings.EqualFold(strings.TrimSuffix(u.Host, port), strings.TrimSuffix(r.Host, port))
}

// refusals remembers which origins the operator has been told of.
type refusals struct {
	mu   sync.Mutex // guards told
	told map[string]bool
}

// maxRefusals bounds the memory that strangers can fill, and the log.
const maxRefusals = 1000

// warn logs the first refusal of an origin, with the setting that would allow it. What is no origin that could
// be allowed is not repeated: anything may stand there.
func (f *refusals) warn(logger *slog.Logger, site *Site, origin string) {
	key, possible := site.Name+" "+origin, allowable(origin)
	if !possible {
		key = site.Name
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told[key] || len(f.told) >= maxRefusals {
		return
	}
	if f.told == nil {
		f.told = make(map[string]bool)
	}
	f.told[key] = true
	if !possible {
		logger.Warn("page without an origin that could be allowed was refused: sandboxed frames and files have none; serve it from a web server",
			"site", site.Name)
		return
	}
	logger.Warn("page of an origin that is not allowed was refused: to allow it, add the value to the variable",
		"site", site.Name, "variable", site.OriginsVariable, "value", origin)
}

// allowable tells whether an origin could stand in a list of those allowed, for itself alone.
func allowable(origin string) bool {
	o, err := ParseOrigins([]string{origin})
	return err == nil && o.Allow(origin)
}
