package origin

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rs/cors"
)

// CORS wraps next so that browsers let pages of other origins read its answers where mayRead says so. It never
// refuses: the handlers do, since a page that may not read an answer would still have been sent it. exposed are the
// headers that a page may read besides those that any page may.
func CORS(mayRead func(r *http.Request, origin string) bool, exposed []string, next http.Handler) http.Handler {
	shared := cors.New(cors.Options{
		AllowOriginVaryRequestFunc: func(r *http.Request, origin string) (bool, []string) {
			return origin != "" && mayRead(r, origin), nil
		},
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete},
		AllowedHeaders: []string{"Content-Type", "Authorization", "X-API-Key", "Idempotency-Key", "Last-Event-ID", "Cache-Control", "Accept"},
		ExposedHeaders: exposed,
		MaxAge:         600, // seconds
	}).Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		orderRequested(r.Header)
		shared.ServeHTTP(w, r)
	})
}

// orderRequested gives the names of headers that a preflight asks for the form in which browsers send
// them (Fetch section 4.8), and without which rs/cors refuses them: lower case, sorted, once each. People
// who try out a preflight by hand write them in any way.
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
