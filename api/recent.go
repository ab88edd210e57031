package api

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"proofstream/stream"
	"proofstream/stream/registry"
)

// getRecent returns the newest signups, 1 to 20 of them and 5 by default, for visitors behind a proxy that buffers streams.
func (s *Server) getRecent(c echo.Context) error {
	site, err := s.siteOf(c)
	if err != nil {
		return err
	}
	limit, err := count(c, "limit", 5, 1, registry.MostRecent)
	if err != nil {
		return err
	}
	if err := s.checkStarted(); err != nil {
		return err
	}
	ctx, cancel := s.readContext(c.Request())
	defer cancel()
	frames, cursor, err := s.o.Registry.Recent(ctx, site.Name, limit)
	if err != nil {
		return err
	}
	b := []byte(`{"events":[`)
	for i := len(frames) - 1; i >= 0; i-- {
		b = appendWithID(b, frames[i])
		if i > 0 {
			b = append(b, ',')
		}
	}
	b = append(b, `],"last_event_id":"`+cursor.String()+`"}`...)
	h := c.Response().Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return c.Blob(http.StatusOK, "application/json", b)
}

// appendWithID appends an event's data, which is a JSON object, with its id as the first member.
func appendWithID(b []byte, f *stream.Frame) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, f.ID()...)
	b = append(b, `",`...)
	return append(b, f.Data()[1:]...)
}

// getStats returns how many streams of a site are open now, on this node and its peers, and how many signups are kept.
func (s *Server) getStats(c echo.Context) error {
	site, err := s.siteOf(c)
	if err != nil {
		return err
	}
	if err := s.checkStarted(); err != nil {
		return err
	}
	ctx, cancel := s.readContext(c.Request())
	defer cancel()
	subscribers, events, err := s.o.Registry.Numbers(ctx, site.Name)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return writeJSON(c, struct {
		Subscribers int `json:"subscribers"`
		Events      int `json:"events"`
	}{subscribers + s.o.PeerSubscribers(site.Name), events})
}

// count returns a number from the query, clamped to least and most; absent when the query has none or an empty one. The error
// is a 400.
func count(c echo.Context, name string, absent, least, most int) (int, error) {
	text := queryValue(c.Request(), name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err, ok := err.(*strconv.NumError); ok && err.Err == strconv.ErrRange {
		n = most
		if text[0] == '-' {
			n = least
		}
	} else if err != nil {
		return 0, &Problem{Status: http.StatusBadRequest, Field: name, Detail: name + " must be a number: leave it out or write one"}
	}
	return min(max(n, least), most), nil
}
