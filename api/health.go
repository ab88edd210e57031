package api

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// getLive responds with 200 and checks nothing: the process runs.
func (s *Server) getLive(c echo.Context) error { return writeWord(c, http.StatusOK, "live") }

// getReady responds with 200 when posts and new streams are served, otherwise with 503 and the reason in one word.
func (s *Server) getReady(c echo.Context) error {
	if why := s.notReady(); why != "" {
		return writeWord(c, http.StatusServiceUnavailable, why)
	}
	return writeWord(c, http.StatusOK, "ready")
}

// notReady returns why posts and new streams are not served, in one word, or "" when they are.
func (s *Server) notReady() string {
	if s.draining.Load() {
		return "draining"
	}
	if s.starting.Load() {
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

func writeWord(c echo.Context, status int, word string) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.String(status, word)
}

// checkStarted returns nil once the log is open, before that a 503.
func (s *Server) checkStarted() error {
	if !s.starting.Load() {
		return nil
	}
	return &Problem{Status: http.StatusServiceUnavailable, Detail: "The service is still starting: try again in a moment", RetryAfter: time.Second}
}
