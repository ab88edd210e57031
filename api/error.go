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
	if p.Status >= 500 {
		level := slog.LevelWarn
		if errors.Is(err, context.Canceled) { // the client has disconnected
			level = slog.LevelDebug
		}
		s.o.Logger.Log(c.Request().Context(), level, "request not served", "request", requestID(c), "path", c.Path(), "status", p.Status, "error", err)
	}
	writeProblem(c.Response(), c.Request(), p)
}

// withMethodHint counts and logs a request for /signup with a method that it does not know, and responds with what may have happened. Clients
// that follow a redirect turn a POST into a GET (RFC 9110 section 15.4).
func (s *Server) withMethodHint(next echo.HandlerFunc) echo.HandlerFunc {
	refuse := s.counted(func(echo.Context, *outcome) error {
		const hint = "Signups are posted to this address with POST: a redirect may have turned your POST into a GET, so post to the address at its end, " +
			"with https and the right host"
		return &Problem{Status: http.StatusMethodNotAllowed, Detail: hint, rule: hint}
	})
	return func(c echo.Context) error {
		err := next(c)
		if err == echo.ErrMethodNotAllowed && c.Request().URL.Path == "/signup" { // Echo has set Allow
			return refuse(c)
		}
		return err
	}
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
