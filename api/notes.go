package api

import (
	"log/slog"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/stream/signup"
)

// noteInterval is the least time between two log lines about the same kind of note of a site.
const noteInterval = time.Hour

// logNotes logs what looks wrong in a stored signup, without any posted text: one line for each kind of note of a site in an hour.
func (s *Server) logNotes(c echo.Context, site string, notes []signup.Note) {
	for _, n := range notes {
		if s.notes.due(site+" "+string(n.Kind), time.Now()) {
			s.o.Logger.LogAttrs(c.Request().Context(), slog.LevelWarn, "signup stored, but it looks wrong",
				slog.String("site", site), slog.String("note", string(n.Kind)), slog.String("field", n.Field),
				slog.String("advice", n.Advice()), slog.String("request", requestID(c)))
		}
	}
}

// sentences returns notes as a response has them, nil for none.
func sentences(notes []signup.Note) (texts []string) {
	for _, n := range notes {
		texts = append(texts, n.String())
	}
	return texts
}

// hourly says when something is due again. The zero value is ready to use. It never forgets a name, so names must be few.
type hourly struct {
	mu   sync.Mutex // guards last
	last map[string]time.Time
}

// due reports whether a name was not due within noteInterval before now. It compares readings of the monotonic clock: see package time.
func (h *hourly) due(name string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if last, known := h.last[name]; known && now.Sub(last) < noteInterval {
		return false
	}
	if h.last == nil {
		h.last = map[string]time.Time{}
	}
	h.last[name] = now
	return true
}
