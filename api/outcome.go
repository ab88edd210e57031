package api

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/stream"
	"proofstream/stream/signup"
)

// outcomes are all values of the label outcome: the result of a request to post or retract a signup.
var outcomes = []string{
	"stored", "duplicate", "retracted", // 2xx
	"malformed",    // 400: it could not be read
	"unauthorized", // 401: no key, or a wrong one
	"not_found",    // 404: nothing to retract
	"method",       // 405: a redirect may have turned a post into a GET
	"slow",         // 408: the body did not arrive in time
	"too_large",    // 413
	"media_type",   // 415
	"invalid",      // 422: it was read, but breaks a rule
	"limited",      // 429
	"unavailable",  // 503: the log could not store it
	"error",        // 500: a defect of the service
}

// outcome is the result of a request to post or retract a signup, filled in by its handler.
type outcome struct {
	site string    // empty until the key was found
	id   stream.ID // of the event stored or retracted
	name string    // one of outcomes, if there is no error

	refused *Problem // nil when it was not refused
}

// reason returns the attributes of the event, or of why there is none.
func (v *outcome) reason() (attrs []slog.Attr) {
	if v.refused == nil {
		if v.id != (stream.ID{}) {
			attrs = append(attrs, slog.String("id", v.id.String()))
		}
		return attrs
	}
	if field := v.refused.Field; field != "" {
		if !signup.IsField(field) && field != "Idempotency-Key" && field != "api_key" {
			field = "_unknown"
		}
		attrs = append(attrs, slog.String("field", field))
	}
	if v.refused.rule != "" {
		attrs = append(attrs, slog.String("rule", v.refused.rule))
	}
	return attrs
}

// counted counts the outcome of each request and logs it in one line, with site, id, duration and request id, or, instead of an
// id, the field and the rule for which it was refused. The line holds no text of the signup, nor the name of an unknown field.
func (s *Server) counted(handle func(echo.Context, *outcome) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		v := outcome{site: noSite, name: "error"} // for a handler that panics
		defer func() {
			s.metrics.signups.WithLabelValues(v.site, v.name).Inc()
			attrs := append(make([]slog.Attr, 0, 7), slog.String("site", v.site), slog.String("outcome", v.name))
			attrs = append(attrs, v.reason()...)
			s.o.Logger.LogAttrs(c.Request().Context(), slog.LevelInfo, "signup",
				append(attrs, slog.Duration("duration", time.Since(start)), slog.String("request", requestID(c)))...)
		}()
		var found outcome
		err := handle(c, &found)
		if found.site != "" {
			v.site = found.site
		}
		v.id, v.name = found.id, found.name
		if err != nil {
			v.id, v.name, v.refused = stream.ID{}, outcomeOf(err), problemOf(err)
		}
		return err
	}
}

// outcomeOf returns the outcome of a request that ended with an error.
func outcomeOf(err error) string {
	switch problemOf(err).Status {
	case http.StatusBadRequest:
		return "malformed"
	case http.StatusUnauthorized:
		return "unauthorized"
	case http.StatusNotFound:
		return "not_found"
	case http.StatusMethodNotAllowed:
		return "method"
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
