package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// queryValue returns the first value of a name in the query, empty when there is none.
func queryValue(r *http.Request, name string) string {
	if values := queryValues(r, name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// queryValues returns the values of some names in the order of the query. It reads queries as browsers write them (WHATWG URL
// section 5.1): only & separates pairs, and an invalid escape stands for itself. net/url drops such a pair without an error,
// and with it a cursor or the name of a site.
func queryValues(r *http.Request, names ...string) (values []string) {
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		left, right, _ := strings.Cut(pair, "=")
		if slices.Contains(names, unescape(left)) {
			values = append(values, unescape(right))
		}
	}
	return values
}

// unescape decodes percent-encoding. An invalid escape stands for itself.
func unescape(s string) string {
	if text, err := url.QueryUnescape(s); err == nil {
		return text
	}
	var b strings.Builder
	for i := range len(s) {
		if s[i] == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])) {
			b.WriteString("%25")
			continue
		}
		b.WriteByte(s[i])
	}
	text, _ := url.QueryUnescape(b.String()) // every escape is valid now
	return text
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }
