package origin

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rs/cors"
)

// CORS wraps next so that browsers let pages of other origins read its responses where mayRead returns true. It refuses no
// request: the handlers do, since a response that a page may not read has still been sent. requested are the request headers
// that a preflight allows, "*" alone for all. exposed are the response headers that a page may read beside the safelisted ones
// (Fetch section 2.2.2).
func CORS(mayRead func(r *http.Request, origin string) bool, requested, exposed []string, next http.Handler) http.Handler {
	shared := cors.New(cors.Options{
		AllowOriginVaryRequestFunc: func(r *http.Request, origin string) (bool, []string) {
			return origin != "" && mayRead(r, origin), nil
		},
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete},
		AllowedHeaders: requested,
		ExposedHeaders: exposed,
		MaxAge:         600, // seconds
	}).Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		orderRequested(r.Header)
		shared.ServeHTTP(w, r)
	})
}

// orderRequested rewrites the header names in a preflight as browsers send them (Fetch section 4.8): lower case, sorted, each
// once. rs/cors refuses others, which people send who try a preflight by hand.
func orderRequested(h http.Header) {
	const name = "Access-Control-Request-Headers"
	requested := h.Values(name)
	if len(requested) == 0 {
		return
	}
	names := strings.FieldsFunc(strings.ToLower(strings.Join(requested, ",")), func(r rune) bool {
		return r == ',' || r == ' ' || r == '\t'
	})
	slices.Sort(names)
	h.Set(name, strings.Join(slices.Compact(names), ","))
}
