package static

import (
	"bytes"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// The values of Cache-Control.
const (
	cacheHour    = "public, max-age=3600"                // of a name whose bytes change with a release
	cacheForever = "public, max-age=31536000, immutable" // of a name with a hash in it
	cacheNever   = "no-cache"                            // of what names those, and of the demo page
)

// demoPolicy holds the demo page to what it needs: its own files, and the pictures of test signups from anywhere.
const demoPolicy = "default-src 'self'; img-src 'self' https: data:; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

// ServeAsset answers with the file of a name, to pages of any origin. It returns false, and answers nothing, if there
// is none.
func (f *Files) ServeAsset(w http.ResponseWriter, r *http.Request, name string) bool {
	asset := f.byName[name]
	if asset == nil || name == demoPage {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if path.Ext(name) == ".html" { // the demo page shows it in a frame
		h.Set("Content-Security-Policy", demoPolicy)
	}
	asset.serve(w, r)
	return true
}

// ServeDemo answers with the demo page.
func (f *Files) ServeDemo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", demoPolicy)
	f.byName[demoPage].serve(w, r)
}

// serve answers with the file, compressed for those who accept that. The compressed bytes have an ETag of their own
// (RFC 9110 section 8.8.3.3).
func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", f.cacheControl)
	h.Add("Vary", "Accept-Encoding")
	body, etag := f.body, `"`+f.hash+`"`
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body, etag = f.zipped, `"`+f.hash+`-gz"`
		h.Set("Content-Length", strconv.Itoa(len(body))) // which ServeContent leaves out beside a Content-Encoding
	}
	h.Set("ETag", etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip tells whether a client accepts gzip (RFC 9110 section 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if strings.TrimSpace(name) != "gzip" {
			continue
		}
		weight, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(q), "q="), 64)
		return q == "" || err == nil && weight > 0
	}
	return false
}
