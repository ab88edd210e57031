package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"proofstream/assets"
)

// decoded returns what a browser makes of a response's body.
func decoded(t *testing.T, resp *http.Response, body string) string {
	t.Helper()
	switch coding := resp.Header.Get("Content-Encoding"); coding {
	case "br":
		return text(t, brotli.NewReader(strings.NewReader(body)))
	case "gzip":
		r, err := gzip.NewReader(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return text(t, r)
	default:
		return body
	}
}

// Every form of a file has the same content, its own length, and its own ETag.
func TestAssetIsServedInTheEncodingThatTheClientPrefers(t *testing.T) {
	const path = "/assets/proof.js"
	plain := text(t, get(t, "GET", path).Body)
	if len(plain) >= len(few["widget/proof.js"].Data) || strings.Contains(plain, "why not") {
		t.Errorf("got %.80q…, want it minified", plain)
	}
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(plain)))[:12]
	etags := map[string]string{"": hash, "br": hash + "-br", "gzip": hash + "-gz"}
	for _, tt := range []struct{ name, accept, want string }{
		{"a client that accepts nothing", "", ""},
		{"an old browser", "gzip, deflate", "gzip"},
		{"a browser over HTTPS", "gzip, deflate, br, zstd", "br"},
		{"brotli alone", "br", "br"},
		{"white space around a coding", "deflate,  gzip ", "gzip"},
		{"a coding in capitals", "GZIP", "gzip"},
		{"a smaller weight for gzip", "br, gzip;q=0.5", "br"},
		{"a smaller weight for brotli", "br;q=0.5, gzip;q=0.8", "gzip"},
		{"equal weights", "gzip;q=0.3, br;q=0.3", "br"},
		{"brotli refused", "br;q=0, gzip", "gzip"},
		{"all refused", "gzip;q=0, br; q=0.000", ""},
		{"another coding", "xgzip, brotli", ""},
		{"a weight that is no number", "gzip;q=x", ""},
		{"a weight beyond 1", "br;q=7, gzip;q=0.1", "gzip"},
		{"a parameter that is no weight", "gzip;level=1", ""},
		{"a wildcard names no coding", "*", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := get(t, "GET", path, "Accept-Encoding: "+tt.accept)
			body := text(t, got.Body)
			if coding := got.Header.Get("Content-Encoding"); coding != tt.want || got.Header.Get("Vary") != "Accept-Encoding" {
				t.Fatalf("got Content-Encoding %q and Vary %q, want %q and Accept-Encoding", coding, got.Header.Get("Vary"), tt.want)
			}
			if length := got.Header.Get("Content-Length"); length != strconv.Itoa(len(body)) {
				t.Errorf("got Content-Length %s for %d bytes", length, len(body))
			}
			if content := decoded(t, got, body); content != plain {
				t.Errorf("got %.80q, want %.80q", content, plain)
			}
			if etag := got.Header.Get("ETag"); etag != strconv.Quote(etags[tt.want]) {
				t.Errorf("got ETag %s, want %q", etag, etags[tt.want])
			}
		})
	}
}

// brotliBest sizes the window by the body, which must come out whole whatever its length.
func TestBrotliOfAnyLength(t *testing.T) {
	for _, size := range []int{0, 1, 1008, 1009, 1024, 65_520, 65_536, 300_000} {
		body := bytes.Repeat([]byte("Ada just signed up. "), size/20+1)[:size]
		got, err := io.ReadAll(brotli.NewReader(bytes.NewReader(brotliBest(body))))
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
}

func TestAssetIsNotSentAgain(t *testing.T) {
	const path = "/assets/proof.js"
	etag := func(accept string) string { return get(t, "GET", path, "Accept-Encoding: "+accept).Header.Get("ETag") }
	plain, zipped, br := etag(""), etag("gzip"), etag("br")
	for _, test := range []struct {
		match, accept string
		status        int
	}{
		{plain, "", 304}, {zipped, "gzip", 304}, {br, "gzip, br", 304}, {"*", "", 304}, {`"x", W/` + plain, "", 304},
		{plain, "gzip", 200}, {zipped, "", 200}, {zipped, "br", 200}, {br, "gzip", 200}, {`"x"`, "", 200}, {strings.Trim(plain, `"`), "", 200},
	} {
		got := get(t, "GET", path, "If-None-Match: "+test.match, "Accept-Encoding: "+test.accept)
		if body := text(t, got.Body); got.StatusCode != test.status || (body == "") != (test.status == 304) {
			t.Errorf("%s, accepting %q: got %d and %d bytes, want %d", test.match, test.accept, got.StatusCode, len(body), test.status)
		}
		if h := got.Header; got.StatusCode == 304 && (h.Get("ETag") == "" || h.Get("Cache-Control") == "" || h.Get("Content-Encoding") != "") {
			t.Errorf("%s: got headers %v", test.match, h)
		}
	}
	head := get(t, "HEAD", path)
	if head.StatusCode != 200 || head.Header.Get("Content-Length") == "" || text(t, head.Body) != "" {
		t.Errorf("HEAD: got %d %v", head.StatusCode, head.Header)
	}
}

// What every page loads stays within the promised size.
func TestWidgetIsSmallAsServed(t *testing.T) {
	files, err := Load(assets.Files)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		coding string
		limit  int // in bytes, for both files together
	}{{"br", 6750}, {"gzip", 7600}} {
		total := 0
		for _, name := range []string{"proof.js", "proof.css"} {
			got := serveFrom(t, files, "GET", "/assets/"+name, "Accept-Encoding: "+tt.coding)
			if coding := got.Header.Get("Content-Encoding"); coding != tt.coding {
				t.Fatalf("%s: got Content-Encoding %q, want %q", name, coding, tt.coding)
			}
			total += len(text(t, got.Body))
		}
		t.Logf("proof.js and proof.css with %s: %d of %d bytes", tt.coding, total, tt.limit)
		if total > tt.limit {
			t.Errorf("proof.js and proof.css with %s: got %d bytes, want at most %d", tt.coding, total, tt.limit)
		}
	}
}
