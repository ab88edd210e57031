package api

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// getLive answers 200 while the process can answer at all: it asks nothing else.
func (s *Server) getLive(c echo.Context) error { return word(c, http.StatusOK, "live") }

// getReady answers 200 when posts and new streams are served here.
func (s *Server) getReady(c echo.Context) error {
	if why := s.notReady(); why != "" {
		return word(c, http.StatusServiceUnavailable, why)
	}
	return word(c, http.StatusOK, "ready")
}

// notReady says in one word why posts and new streams are not served, and nothing when they are.
func (s *Server) notReady() string {
	if s.draining.Load() {
		return "draining"
	}
	if s.waiting.Load() {
		return "starting"
	}
	if err := s.o.Log.Healthy(); err != nil {
		s.o.Logger.Debug("not ready", "error", err)
		return "unavailable"
	}
	if s.o.Registry.Behind() {
		return "behind"
	}
	return ""
}

func word(c echo.Context, status int, word string) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.String(status, word)
}

// begun returns nil once the log is open, before that a 503.
func (s *Server) begun() error {
	if !s.waiting.Load() {
		return nil
	}
	return &Problem{Status: http.StatusServiceUnavailable, Detail: "The service is still starting: try again in a moment", RetryAfter: time.Second}
}
