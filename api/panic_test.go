package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"proofstream/stream"
)

// brokenLog panics with something secret.
type brokenLog struct{ stream.Log }

func (brokenLog) Append(context.Context, string, stream.Entry) (stream.ID, bool, error) {
	panic("the value with " + defaultKey)
}

func TestPanicIsA500AndLoggedWithoutItsValue(t *testing.T) {
	h := serve(t, func(o *setup) { o.wrapLog = func(l stream.Log) stream.Log { return brokenLog{l} } })
	got := h.request(t, "POST", "/signup", "user_name=A", "X-API-Key: "+defaultKey)
	if got.status != 500 || got.body == "" || strings.Contains(got.body, "panic") || strings.Contains(got.body, defaultKey) {
		t.Errorf("got %d %q", got.status, got.body)
	}
	h.awaitOutput(t, "brokenLog")
	h.awaitOutput(t, "outcome=error")
	if output := h.output.String(); strings.Contains(output, defaultKey) || strings.Contains(output, "the value with") {
		t.Errorf("the log repeats the panic's value:\n%s", output)
	}
	if got := h.request(t, "GET", "/live", ""); got.status != 200 {
		t.Errorf("after a panic: /live %d", got.status)
	}
}

func TestAbortPassesThroughRecovery(t *testing.T) {
	h := serve(t)
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler {
			t.Errorf("got %v, want http.ErrAbortHandler", cause)
		}
		if strings.Contains(h.output.String(), "panic") {
			t.Errorf("a cut stream is logged as a panic:\n%s", h.output)
		}
	}()
	handler := h.recovered(func(echo.Context) error { panic(http.ErrAbortHandler) })
	handler(echo.New().NewContext(httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()))
}
