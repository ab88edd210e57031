package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/labstack/echo/v4"

	"proofstream/stream"
)

// instantLog stores nothing and returns at once.
type instantLog struct {
	stream.Log
	seq atomic.Uint64
}

func (l *instantLog) Append(context.Context, string, stream.Entry) (stream.ID, bool, error) {
	return stream.ID{Epoch: "k3v9", Seq: l.seq.Add(1)}, false, nil
}

// BenchmarkPost is a post without the network and without storing: what the key, the limits, the checks, the counters and the log line cost. The
// plain alternative is a handler of Echo that decodes the same body and responds with as much.
func BenchmarkPost(b *testing.B) {
	h := serve(b, func(o *setup) {
		o.wrapLog = func(l stream.Log) stream.Log { return &instantLog{Log: l} }
		o.Logger = slog.New(slog.NewTextHandler(discard{}, nil))
	})
	plain := echo.New()
	plain.POST("/signup", func(c echo.Context) error {
		var signup struct {
			UserName  string `json:"user_name" form:"user_name"`
			OfferName string `json:"offer_name" form:"offer_name"`
		}
		if err := c.Bind(&signup); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, map[string]any{"id": "k3v9-1", "duplicate": false})
	})
	for _, body := range []struct{ name, mime, text string }{
		{"json", "application/json", `{"user_name":"Ada Lovelace","offer_name":"Spring Sale"}`},
		{"form", "application/x-www-form-urlencoded", "user_name=Ada+Lovelace&offer_name=Spring+Sale"},
	} {
		for _, way := range []struct {
			name    string
			handler http.Handler
		}{{"service", h.Server}, {"plain", plain}} {
			b.Run(body.name+"/"+way.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/signup", strings.NewReader(body.text))
					r.Header.Set("Content-Type", body.mime)
					r.Header.Set("X-API-Key", defaultKey)
					w := httptest.NewRecorder()
					way.handler.ServeHTTP(w, r)
					if w.Code != http.StatusOK {
						b.Fatalf("got %d: %s", w.Code, w.Body)
					}
				}
			})
		}
	}
}

// discard is io.Discard, which slog does not recognize: it formats the lines.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
