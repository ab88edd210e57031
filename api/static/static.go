// Package static serves the files of the widget and the demo page. It minifies, compresses and hashes them once, in Load.
package static

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"

	"github.com/tdewolff/minify/v2"
	"github.com/tdewolff/minify/v2/css"
	"github.com/tdewolff/minify/v2/js"
	"github.com/tdewolff/minify/v2/svg"
)

// demoPage is the file that ServeDemo responds with.
const demoPage = "demo.html"

// contentTypes are the kinds of files that are served.
var contentTypes = map[string]string{
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
	".html": "text/html; charset=utf-8",
	".json": "application/json",
}

// Files serves files. It is safe for concurrent use.
type Files struct {
	byName map[string]*file // such as proof.js, and proof.<hash>.js with the same bytes
}

// file is one file, ready to be served.
type file struct {
	body         []byte
	encoded      []encoding // of the body, in the order of preference
	contentType  string
	hash         string // the first 12 hex digits of the body's SHA-256
	cacheControl string
}

// Load reads the scripts, style sheets, pictures and pages in the root of fsys: files that end with .js, .css, .svg, .html or
// .json. Others are left out. The error names a file that cannot be read or minified, or the one of proof.js, proof.css,
// default.svg and demo.html that is missing.
func Load(fsys fs.FS) (*Files, error) {
	m := minify.New()
	m.AddFunc(".js", js.Minify)
	m.AddFunc(".css", css.Minify)
	m.AddFunc(".svg", svg.Minify)
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("read the assets: %w", err)
	}
	files := &Files{byName: make(map[string]*file)}
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
		files.byName[entry.Name()] = newFile(kind, body, cacheHour)
	}
	if files.byName[demoPage] == nil {
		return nil, fmt.Errorf("the assets lack %s", demoPage)
	}
	files.byName[demoPage].cacheControl = cacheNever
	return files, files.pin()
}

func newFile(kind string, body []byte, cacheControl string) *file {
	sum := sha256.Sum256(body)
	return &file{
		body:         body,
		encoded:      []encoding{{"br", "-br", brotliBest(body)}, {"gzip", "-gz", gzipBest(body)}},
		contentType:  contentTypes[kind],
		hash:         hex.EncodeToString(sum[:6]),
		cacheControl: cacheControl,
	}
}
