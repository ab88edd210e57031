package api

import (
	"context"
	"net/http"
	"slices"

	"proofstream/stream"
)

// cursorNames are the names of query parameters that hold a cursor.
var cursorNames = []string{"last_event_id", "lastEventId", "Last-Event-ID"}

// cursorOf returns the cursor of a request, empty when it has none. It need not be valid. The header wins: an EventSource
// that reconnects keeps the URL of its first request. Of several in the query the newest valid one wins: a polyfill adds its
// own to a URL that has one. The error is the log's or the context's.
func (s *Server) cursorOf(ctx context.Context, r *http.Request, site string) (string, error) {
	if cursor := r.Header.Get("Last-Event-ID"); cursor != "" {
		return cursor, nil
	}
	given := slices.DeleteFunc(queryValues(r, cursorNames...), func(text string) bool { return text == "" })
	var valid []stream.ID
	for _, text := range given {
		if id, err := stream.ParseID(text); err == nil {
			valid = append(valid, id)
		}
	}
	switch {
	case len(given) == 0:
		return "", nil
	case len(valid) == 0:
		return given[0], nil
	case len(valid) == 1:
		return valid[0].String(), nil
	}
	b, err := s.o.Log.Bounds(ctx, site)
	if err != nil {
		return "", err
	}
	return newest(valid, b).String(), nil
}

// newest returns the cursor with the highest sequence among those of this log, also expired ones; if there is none, among all.
// Of equal sequences the later cursor wins. There must be at least one cursor.
func newest(cursors []stream.ID, b stream.Bounds) stream.ID {
	known := slices.DeleteFunc(slices.Clone(cursors), func(id stream.ID) bool {
		reason, _ := b.Check(id)
		return reason != "" && reason != stream.Expired
	})
	if len(known) == 0 {
		known = cursors
	}
	best := known[0]
	for _, id := range known {
		if id.Seq >= best.Seq {
			best = id
		}
	}
	return best
}
