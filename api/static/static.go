// Package static serves the files of the widget and the demo page. It minifies and hashes them once, in Load, and compresses each
// when it is first asked for.
package static

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"

	"github.com/tdewolff/minify/v2"
	"github.com/tdewolff/minify/v2/css"
	"github.com/tdewolff/minify/v2/js"
	"github.com/tdewolff/minify/v2/json"
	"github.com/tdewolff/minify/v2/svg"
)

// demoPage is the file that ServeDemo responds with. The files of its folder belong together, and are asked for again after an upgrade.
const demoPage = "demo/demo.html"

// contentTypes are the kinds of files that are served.
var contentTypes = map[string]string{
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
	".html": "text/html; charset=utf-8",
	".json": "application/json",
	".ts":   "text/plain; charset=utf-8",
}

// widgetScript is the module that proof.js is joined from, with the modules that it imports.
const widgetScript = "widget/proof.js"

// Files serves files. It is safe for concurrent use.
type Files struct {
	byName map[string]*file // such as proof.js, and proof.<hash>.js with the same bytes
}

// file is one file, ready to be served.
type file struct {
	body         []byte
	encoded      func() []encoding // of the body, in the order of preference; made by the first request, as brotli takes its time
	contentType  string
	hash         string // the first 12 hex digits of the body's SHA-256
	cacheControl string
}

// Load reads the files of fsys that end with .js, .css, .svg, .html, .json or .ts, in any folder; each is served under its base name.
// Scripts in the folder widget are modules, of which one script is made, proof.js. Others are left out. The error names a file
// that cannot be read or minified, or the one of proof.js, proof.css, default.svg and demo.html that is missing.
func Load(fsys fs.FS) (*Files, error) {
	m := minify.New()
	m.AddFunc(".js", js.Minify)
	m.AddFunc(".css", css.Minify)
	m.AddFunc(".svg", svg.Minify)
	m.AddFunc(".json", json.Minify)
	files := &Files{byName: make(map[string]*file)}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		kind := path.Ext(name)
		if err != nil || entry.IsDir() || contentTypes[kind] == "" {
			return err
		}
		if kind == ".js" && path.Dir(name) == path.Dir(widgetScript) && name != widgetScript {
			return nil
		}
		body, err := read(fsys, name, m)
		if err != nil {
			return err
		}
		cacheControl := cacheHour
		if path.Dir(name) == path.Dir(demoPage) {
			cacheControl = cacheNever
		}
		files.byName[path.Base(name)] = newFile(kind, body, cacheControl)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the assets: %w", err)
	}
	if files.byName[path.Base(demoPage)] == nil {
		return nil, fmt.Errorf("the assets lack %s", path.Base(demoPage))
	}
	return files, files.pin()
}

// read returns a file as it is served: joined, and minified if m can.
func read(fsys fs.FS, name string, m *minify.M) ([]byte, error) {
	source := fs.ReadFile
	if name == widgetScript {
		source = join
	}
	body, err := source(fsys, name)
	if err != nil {
		return nil, err
	}
	minified, err := m.Bytes(path.Ext(name), body)
	if errors.Is(err, minify.ErrNotExist) {
		return body, nil
	}
	if err != nil {
		return nil, fmt.Errorf("minify %s: %w", path.Base(name), err)
	}
	return minified, nil
}

func newFile(kind string, body []byte, cacheControl string) *file {
	sum := sha256.Sum256(body)
	return &file{
		body: body,
		encoded: sync.OnceValue(func() []encoding {
			return []encoding{{"br", "-br", brotliBest(body)}, {"gzip", "-gz", gzipBest(body)}}
		}),
		contentType:  contentTypes[kind],
		hash:         hex.EncodeToString(sum[:6]),
		cacheControl: cacheControl,
	}
}
