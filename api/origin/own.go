package origin

import (
	"net/http"
	"net/url"
	"strings"
)

// Own tells whether an origin is the service's: its host and port are those of the request's Host.
// The scheme does not count, for a proxy may have ended TLS; nor does its usual port, which some proxies write out.
func Own(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || !strings.EqualFold(origin, u.Scheme+"://"+u.Host) { // nothing but an origin (WHATWG HTML section 7.1.1)
		return false
	}
	port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return port != "" && strings.EqualFold(strings.TrimSuffix(u.Host, port), strings.TrimSuffix(r.Host, port))
}
