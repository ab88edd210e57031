package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"proofstream/stream"
)

const (
	defaultAdminEvents = 50
	maxAdminEvents     = 200
)

// getAdminEvents returns kept signups of the key's site, newest first: limit of them, 1 to 200 and 50 by default, before an id or from the
// newest. The key must be a Bearer key. Pages of other origins cannot read the response: see mayRead.
func (s *Server) getAdminEvents(c echo.Context) error {
	r := c.Request()
	if r.Header.Get("Authorization") == "" || otherScheme(r) {
		return badKey()
	}
	key, err := s.authorize(r, "")
	if err != nil {
		return err
	}
	before, limit, err := adminPage(c)
	if err != nil {
		return err
	}
	if err := s.checkStarted(); err != nil {
		return err
	}
	ctx, cancel := s.readContext(r)
	defer cancel()
	events, _, err := s.o.Log.Latest(ctx, key.Site, before.Seq, limit)
	if err != nil {
		return err
	}
	b := []byte(`{"events":[`)
	for i, ev := range events {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendWithID(b, stream.NewFrame(ev))
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return writeRawJSON(c, append(b, "]}"...))
}

// adminPage returns which events a request asks for. Before has sequence 0 for the newest. The error is a 400.
func adminPage(c echo.Context) (before stream.ID, limit int, err error) {
	if limit, err = count(c, "limit", defaultAdminEvents, 1, maxAdminEvents); err != nil {
		return before, 0, err
	}
	if text := queryValue(c.Request(), "before"); text != "" {
		if before, err = stream.ParseID(text); err != nil || before.Seq == 0 {
			return before, 0, &Problem{Status: http.StatusBadRequest, Field: "before",
				Detail: "before must be the id of an event: take the last one of the page before"}
		}
	}
	return before, limit, nil
}
