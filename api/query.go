package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// queryValue returns a request's first value of a name, empty when it has none.
func queryValue(r *http.Request, name string) string {
	if values := queryValues(r, name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// queryValues returns a request's values of some names, in the order of the query. It reads queries as browsers
// write them (WHATWG URL section 5.1): only & separates, and an invalid escape stands for itself. net/url would
// drop such a pair without a word, and with it a cursor or the name of a site.
func queryValues(r *http.Request, names ...string) (values []string) {
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		left, right, _ := strings.Cut(pair, "=")
		if slices.Contains(names, unescape(left)) {
			values = append(values, unescape(right))
		}
	}
	return values
}

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
	text, _ := url.QueryUnescape(b.String()) // no other error is left
	return text
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }
