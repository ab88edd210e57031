package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"
)

// handleError responds to every error of a handler, and to Echo's own, with a problem.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	p := problemOf(echoProblem(err))
	if s.keys.Find(p.Field) != nil { // a key that was sent as a name must not be repeated
		p = &Problem{Status: p.Status, Detail: "An API key was sent as the name of a field: send it as the value of api_key"}
	}
	if p.Status >= 500 {
		level := slog.LevelWarn
		if errors.Is(err, context.Canceled) { // the client has disconnected
			level = slog.LevelDebug
		}
		s.o.Logger.Log(c.Request().Context(), level, "request not served", "request", requestID(c), "path", c.Path(), "status", p.Status, "error", err)
	}
	writeProblem(c.Response(), c.Request(), p)
}

// echoProblem returns Echo's routing errors as problems, and other errors as they are.
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
