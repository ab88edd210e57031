package origin

import (
	"net/http"
	"net/url"
	"strings"
)

// SameHost reports whether an http or https origin is the service's own: its host and port are those of the request's Host
// header. The scheme may differ, since a proxy may have ended TLS. The scheme's default port is the same as none, since some
// proxies add it.
func SameHost(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || !strings.EqualFold(origin, u.Scheme+"://"+u.Host) { // it has more than an origin (WHATWG HTML section 7.1.1)
		return false
	}
	port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return port != "" && strings.EqualFold(strings.TrimSuffix(u.Host, port), strings.TrimSuffix(r.Host, port))
}
