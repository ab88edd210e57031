package api

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/stream"
)

// outcomes are all values of the outcome label: what became of a request to post or retract.
var outcomes = []string{
	"stored", "duplicate", "retracted", // 2xx
	"malformed",    // 400: it could not be read
	"unauthorized", // 401: no key, or a wrong one
	"not_found",    // 404: nothing to retract
	"slow",         // 408: the body did not come in time
	"too_large",    // 413
	"media_type",   // 415
	"invalid",      // 422: it was read, but breaks a rule
	"limited",      // 429
	"unavailable",  // 503: the log could not store it
	"error",        // 500: a mistake of ours
}

// outcome is what became of a request to post or retract.
type outcome struct {
	site string    // empty until the key was found to be good
	id   stream.ID // of the event stored, or retracted
	name string    // when it went well
}

// counted counts what became of a request, and logs one line about it: who (a site), what, how long
// and under which number. It holds no word of the signup.
func (s *Server) counted(handle func(echo.Context, *outcome) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		begun := time.Now()
		v := outcome{site: noSite, name: "error"} // which remains when the handler panics
		defer func() {
			s.metrics.signups.WithLabelValues(v.site, v.name).Inc()
			attrs := append(make([]slog.Attr, 0, 5), slog.String("site", v.site), slog.String("outcome", v.name))
			if v.id != (stream.ID{}) {
				attrs = append(attrs, slog.String("id", v.id.String()))
			}
			s.o.Logger.LogAttrs(c.Request().Context(), slog.LevelInfo, "signup",
				append(attrs, slog.Duration("duration", time.Since(begun)), slog.String("request", requestID(c)))...)
		}()
		var found outcome
		err := handle(c, &found)
		if found.site != "" {
			v.site = found.site
		}
		v.id, v.name = found.id, found.name
		if err != nil {
			v.name = outcomeOf(err)
		}
		return err
	}
}

// outcomeOf names an error as metrics and logs do.
func outcomeOf(err error) string {
	switch problemOf(err).Status {
	case http.StatusBadRequest:
		return "malformed"
	case http.StatusUnauthorized:
		return "unauthorized"
	case http.StatusNotFound:
		return "not_found"
	case http.StatusRequestTimeout:
		return "slow"
	case http.StatusRequestEntityTooLarge:
		return "too_large"
	case http.StatusUnsupportedMediaType:
		return "media_type"
	case http.StatusUnprocessableEntity:
		return "invalid"
	case http.StatusTooManyRequests:
		return "limited"
	case http.StatusServiceUnavailable:
		return "unavailable"
	}
	return "error"
}
