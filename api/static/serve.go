package static

import (
	"bytes"
	"net/http"
	"path"
	"strconv"
	"time"
)

// cacheHour is the Cache-Control of a file whose bytes may change with a release.
const cacheHour = "public, max-age=3600"

// cacheImmutable is the Cache-Control of a file with a hash in its name.
const cacheImmutable = "public, max-age=31536000, immutable"

// cacheNever is the Cache-Control of manifest.json, which names files with a hash, and of the demo page's files.
const cacheNever = "no-cache"

// demoPolicy is the Content-Security-Policy of the demo page: its own files, and pictures from anywhere, for test signups.
const demoPolicy = "default-src 'self'; img-src 'self' https: data:; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

// ServeAsset responds with the file of a name, for pages of any origin. It returns false and writes nothing if there is none.
// The demo page is none: see ServeDemo.
func (f *Files) ServeAsset(w http.ResponseWriter, r *http.Request, name string) bool {
	asset := f.byName[name]
	if asset == nil || name == path.Base(demoPage) {
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
	f.byName[path.Base(demoPage)].serve(w, r)
}

// serve responds with the file, in the encoding that the client prefers.
func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", f.cacheControl)
	h.Add("Vary", "Accept-Encoding")
	body, etagEnd := f.body, ""
	if e := choose(f.encoded(), r); e != nil {
		h.Set("Content-Encoding", e.name)
		body, etagEnd = e.body, e.etagEnd
		h.Set("Content-Length", strconv.Itoa(len(body))) // which ServeContent leaves out beside a Content-Encoding
	}
	h.Set("ETag", `"`+f.hash+etagEnd+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
