package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"
)

// answerError turns every error of a handler, and Echo's own, into a problem.
func (s *Server) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	p := problemOf(echoProblem(err))
	if s.keys.Find(p.Field) != nil { // sent without a name before it: it is repeated to nobody
		p = &Problem{Status: p.Status, Detail: "An API key stands where a field's name should: send it as api_key"}
	}
	if p.Status >= 500 {
		level := slog.LevelWarn
		if errors.Is(err, context.Canceled) { // the client has left
			level = slog.LevelDebug
		}
		s.o.Logger.Log(c.Request().Context(), level, "request not served", "request", requestID(c), "path", c.Path(), "status", p.Status, "error", err)
	}
	writeProblem(c.Response(), c.Request(), p)
}

// echoProblem gives Echo's routing errors our words.
func echoProblem(err error) error {
	he, ok := err.(*echo.HTTPError)
	if !ok {
		return err
	}
	switch he.Code {
	case http.StatusNotFound:
		return &Problem{Status: he.Code, Detail: "There is nothing at this address: see / for what there is"}
	case http.StatusMethodNotAllowed:
		return &Problem{Status: he.Code, Detail: "This address does not know that method: see the Allow header"}
	}
	return &Problem{Status: he.Code, Detail: http.StatusText(he.Code)}
}
