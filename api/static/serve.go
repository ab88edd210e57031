package static

import (
	"bytes"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// cacheHour is the Cache-Control of a file whose bytes may change with a release.
const cacheHour = "public, max-age=3600"

// cacheImmutable is the Cache-Control of a file with a hash in its name.
const cacheImmutable = "public, max-age=31536000, immutable"

// cacheNever is the Cache-Control of manifest.json and the demo page, which name files with a hash.
const cacheNever = "no-cache"

// demoPolicy is the Content-Security-Policy of the demo page: its own files, and pictures from anywhere, for test signups.
const demoPolicy = "default-src 'self'; img-src 'self' https: data:; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

// ServeAsset responds with the file of a name, for pages of any origin. It returns false and writes nothing if there is none.
// The demo page is none: see ServeDemo.
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

// ServeDemo responds with the demo page.
func (f *Files) ServeDemo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", demoPolicy)
	f.byName[demoPage].serve(w, r)
}

// serve responds with the file, compressed if the client accepts gzip. The compressed bytes have another ETag (RFC 9110 section
// 8.8.3.3).
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

// acceptsGzip reports whether a client accepts gzip by name (RFC 9110 section 12.5.3).
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
