package static

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"testing/fstest"
)

var few = fstest.MapFS{
	"widget/proof.js":    {Data: []byte("import {answer} from './answer.js';\n" + strings.Repeat("console.log(answer);\n", 300))},
	"widget/answer.js":   {Data: []byte("export const answer = 42 + Math.random()  // why not\n")},
	"widget/proof.css":   {Data: []byte("a { color: red; }")},
	"widget/default.svg": {Data: []byte("<svg> </svg>")},
	"demo/demo.html":     {Data: []byte("<!doctype html>\n<p>demo</p>\n")},
	"demo/frame.html":    {Data: []byte("<!doctype html>\n<p>frame</p>\n")},
	"README.md":          {Data: []byte("not for browsers")},
}

// get requests a path of few; headers are "Name: value".
func get(t *testing.T, method, path string, headers ...string) *http.Response {
	t.Helper()
	files, err := Load(few)
	if err != nil {
		t.Fatal(err)
	}
	return serveFrom(t, files, method, path, headers...)
}

// serveFrom requests a path of some files as package api does.
func serveFrom(t *testing.T, files *Files, method, path string, headers ...string) *http.Response {
	t.Helper()
	r, w := httptest.NewRequest(method, path, nil), httptest.NewRecorder()
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	if path == "/" {
		files.ServeDemo(w, r)
	} else if !files.ServeAsset(w, r, strings.TrimPrefix(path, "/assets/")) {
		w.WriteHeader(http.StatusNotFound)
	}
	return w.Result()
}

func text(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHeadersOfEachFile(t *testing.T) {
	var manifest map[string]manifestEntry
	if err := json.Unmarshal([]byte(text(t, get(t, "GET", "/assets/manifest.json").Body)), &manifest); err != nil || len(manifest) != 3 {
		t.Fatalf("got manifest %v, %v", manifest, err)
	}
	script := map[string]string{"Content-Type": "text/javascript; charset=utf-8", "Access-Control-Allow-Origin": "*",
		"Cross-Origin-Resource-Policy": "cross-origin", "Cache-Control": "public, max-age=3600", "Content-Security-Policy": ""}
	with := func(base map[string]string, name, value string) map[string]string {
		changed := maps.Clone(base)
		changed[name] = value
		return changed
	}
	for path, want := range map[string]map[string]string{
		"/assets/proof.js":        script,
		manifest["proof.js"].Path: with(script, "Cache-Control", "public, max-age=31536000, immutable"),
		"/assets/default.svg":     with(script, "Content-Type", "image/svg+xml"),
		"/assets/frame.html":      {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache", "Content-Security-Policy": demoPolicy},
		"/assets/manifest.json":   with(with(script, "Content-Type", "application/json"), "Cache-Control", "no-cache"),
		"/":                       {"Access-Control-Allow-Origin": "", "Cache-Control": "no-cache", "Content-Security-Policy": demoPolicy},
	} {
		got := get(t, "GET", path)
		for name, value := range want {
			if got.StatusCode != 200 || got.Header.Get(name) != value {
				t.Errorf("%s: got %d with %s %q, want %q", path, got.StatusCode, name, got.Header.Get(name), value)
			}
		}
	}
	for name, pinned := range manifest {
		body := text(t, get(t, "GET", pinned.Path).Body)
		sum := sha512.Sum384([]byte(body))
		if want := "sha384-" + base64.StdEncoding.EncodeToString(sum[:]); pinned.Integrity != want || body != text(t, get(t, "GET", "/assets/"+name).Body) {
			t.Errorf("%s: got integrity %s, want %s of the same bytes", name, pinned.Integrity, want)
		}
	}
	for _, path := range []string{"/assets/demo.html", "/assets/README.md", "/assets/nothing.js", "/assets/"} {
		if got := get(t, "GET", path); got.StatusCode != 404 || len(got.Header) != 0 {
			t.Errorf("%s: got %d %v", path, got.StatusCode, got.Header)
		}
	}
}

func TestLoadNamesWhatIsMissingOrBroken(t *testing.T) {
	for _, name := range []string{"widget/proof.js", "widget/answer.js", "widget/proof.css", "widget/default.svg", "demo/demo.html"} {
		without := maps.Clone(few)
		delete(without, name)
		if _, err := Load(without); err == nil || !strings.Contains(err.Error(), path.Base(name)) {
			t.Errorf("without %s: got %v", name, err)
		}
	}
	for name, source := range map[string]string{"a broken script": "let let let {", "a name declared twice": "import {answer} from './answer.js';\nconst answer = 1;\n"} {
		broken := maps.Clone(few)
		broken["widget/proof.js"] = &fstest.MapFile{Data: []byte(source)}
		if _, err := Load(broken); err == nil || !strings.Contains(err.Error(), "minify proof.js") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
