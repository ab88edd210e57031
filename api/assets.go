package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/tdewolff/minify/v2"
	"github.com/tdewolff/minify/v2/css"
	"github.com/tdewolff/minify/v2/js"
	"github.com/tdewolff/minify/v2/svg"
)

// assetFiles are the widget's and the demo page's files, ready to send: minified and compressed
// once, at start.
type assetFiles struct {
	byName map[string]*asset // proof.js, and proof.<hash>.js of the same bytes
}

type asset struct {
	body, zipped []byte
	contentType  string
	etag         string
	cacheControl string
}

const (
	demoPage = "demo.html"

	cacheHour    = "public, max-age=3600"
	cacheForever = "public, max-age=31536000, immutable"
	cacheNever   = "no-cache"

	// demoPolicy holds the demo page to what it needs: its own files, and the pictures of test
	// signups from anywhere.
	demoPolicy = "default-src 'self'; img-src 'self' https: data:; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)

var contentTypes = map[string]string{
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
	".html": "text/html; charset=utf-8",
	".json": "application/json",
}

// pinned are the files that are also served under a name with their hash in it.
var pinned = []string{"proof.js", "proof.css", "default.svg"}

// loadAssets prepares every file of fsys that a browser may ask for.
func loadAssets(fsys fs.FS) (*assetFiles, error) {
	m := minify.New()
	m.AddFunc(".js", js.Minify)
	m.AddFunc(".css", css.Minify)
	m.AddFunc(".svg", svg.Minify)
	files := &assetFiles{byName: make(map[string]*asset)}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("read the assets: %w", err)
	}
	for _, entry := range entries {
		kind := path.Ext(entry.Name())
		if contentTypes[kind] == "" {
			continue
		}
		body, err := fs.ReadFile(fsys, entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read the assets: %w", err)
		}
		if kind != ".html" {
			if body, err = m.Bytes(kind, body); err != nil {
				return nil, fmt.Errorf("minify %s: %w", entry.Name(), err)
			}
		}
		files.byName[entry.Name()] = newAsset(kind, body)
	}
	return files, files.pin()
}

func newAsset(kind string, body []byte) *asset {
	sum := sha256.Sum256(body)
	return &asset{
		body:         body,
		zipped:       zip(body),
		contentType:  contentTypes[kind],
		etag:         `"` + hex.EncodeToString(sum[:6]) + `"`,
		cacheControl: cacheHour,
	}
}

func zip(body []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is a valid one
	w.Write(body)
	w.Close()
	return b.Bytes()
}

// pin adds the names with a hash, and the manifest that tells them with their integrity values.
func (a *assetFiles) pin() error {
	type entry struct {
		Path      string `json:"path"`
		Integrity string `json:"integrity"`
	}
	manifest := make(map[string]entry)
	for _, name := range pinned {
		file := a.byName[name]
		if file == nil {
			return fmt.Errorf("the assets lack %s", name)
		}
		kind := path.Ext(name)
		hashed := strings.TrimSuffix(name, kind) + "." + strings.Trim(file.etag, `"`) + kind
		forever := *file
		forever.cacheControl = cacheForever
		a.byName[hashed] = &forever
		sum := sha512.Sum384(file.body)
		manifest[name] = entry{"/assets/" + hashed, "sha384-" + base64.StdEncoding.EncodeToString(sum[:])}
	}
	body, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	a.byName["manifest.json"] = newAsset(".json", body)
	a.byName["manifest.json"].cacheControl = cacheNever
	if a.byName[demoPage] == nil {
		return fmt.Errorf("the assets lack %s", demoPage)
	}
	return nil
}

func (a *assetFiles) asset(c echo.Context) error {
	file := a.byName[c.Param("name")]
	if file == nil || c.Param("name") == demoPage {
		return echo.ErrNotFound
	}
	h := c.Response().Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Cache-Control", file.cacheControl)
	if path.Ext(c.Param("name")) == ".html" { // the demo page shows it in a frame
		h.Set("Content-Security-Policy", demoPolicy)
	}
	return file.send(c)
}

func (a *assetFiles) demo(c echo.Context) error {
	h := c.Response().Header()
	h.Set("Content-Security-Policy", demoPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", cacheNever)
	return a.byName[demoPage].send(c)
}

// send answers with the file, compressed for those who accept that (RFC 9110 sections 12.5.3, 13.1.2).
func (f *asset) send(c echo.Context) error {
	r, h := c.Request(), c.Response().Header()
	h.Set("Content-Type", f.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept-Encoding")
	body, etag := f.body, f.etag
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body, etag = f.zipped, strings.TrimSuffix(f.etag, `"`)+`-gz"`
	}
	h.Set("ETag", etag)
	if match := r.Header.Get("If-None-Match"); match == "*" || strings.Contains(match, etag) {
		h.Del("Content-Encoding")
		return c.NoContent(http.StatusNotModified)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.Response().WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := c.Response().Write(body)
	return err
}

func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(coding), ";")
		weight := strings.TrimSpace(q)
		if strings.TrimSpace(name) == "gzip" && weight != "q=0" && weight != "q=0.0" && weight != "q=0.00" && weight != "q=0.000" {
			return true
		}
	}
	return false
}
