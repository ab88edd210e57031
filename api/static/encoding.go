package static

import (
	"bytes"
	"compress/gzip"
	"math/bits"
	"net/http"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
)

// encoding is a compressed form of a file.
type encoding struct {
	name    string // content coding (RFC 9110 section 8.4.1)
	etagEnd string // distinguishes the ETag from that of other forms (RFC 9110 section 8.8.3.3)
	body    []byte
}

// choose returns the encoding with the greatest weight in the request's Accept-Encoding (RFC 9110 section 12.5.3), the first
// of several with the same weight. It returns nil when the client accepts none of them by name: a wildcard does not count.
func choose(encodings []encoding, r *http.Request) (best *encoding) {
	most := 0.0
	accept := strings.Join(r.Header.Values("Accept-Encoding"), ",")
	for i := range encodings {
		if weight := weightOf(encodings[i].name, accept); weight > most {
			best, most = &encodings[i], weight
		}
	}
	return best
}

// weightOf returns the weight of a content coding in an Accept-Encoding: 1 when it has none, 0 when the coding is not listed
// or its weight cannot be read.
func weightOf(name, accept string) float64 {
	for listed := range strings.SplitSeq(accept, ",") {
		coding, q, weighted := strings.Cut(listed, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), name) {
			continue
		}
		if !weighted {
			return 1
		}
		q, found := strings.CutPrefix(strings.TrimSpace(q), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		if !found || err != nil || weight > 1 {
			return 0
		}
		return weight
	}
	return 0
}

// gzipBest returns the body compressed by gzip at its best level.
func gzipBest(body []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // an error only for an invalid level
	w.Write(body)
	w.Close()
	return b.Bytes()
}

// minWindow is the binary logarithm of the smallest window of brotli, in bytes (RFC 7932 section 9.1).
const minWindow = 10

// maxWindow is that of the largest.
const maxWindow = 24

// windowReserve is how many bytes of a window no reference can reach (RFC 7932 section 9.1).
const windowReserve = 16

// brotliBest returns the body compressed by brotli at its best quality. The window is just large enough for the body: the
// default one, of 4 MiB, compresses these files by 5 bytes better and takes 2 to 10 times as long.
func brotliBest(body []byte) []byte {
	window := min(max(minWindow, bits.Len(uint(len(body)+windowReserve))), maxWindow)
	var b bytes.Buffer
	w := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: brotli.BestCompression, LGWin: window})
	w.Write(body)
	w.Close()
	return b.Bytes()
}
