package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/api/decode"
	"proofstream/stream"
	"proofstream/stream/signup"
)

// stored is the response to a JSON post that was stored.
type stored struct {
	ID        string `json:"id"`
	Duplicate bool   `json:"duplicate"`
}

// postSignup stores a signup. It checks in this order: whether the request can be read, the key, the rate limit of the key, and
// the rules of a signup.
func (s *Server) postSignup(c echo.Context, v *outcome) error {
	r := c.Request()
	fields, text, err := decode.Signup(r)
	if err != nil {
		return err
	}
	endBodyDeadline(c)
	key, err := s.authorize(r, text)
	if err != nil {
		return err
	}
	v.site = key.Site
	if err := limitRate(key); err != nil {
		return err
	}
	posted, err := signup.New(fields)
	if err != nil {
		return err
	}
	idempotency, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	if err := s.checkStarted(); err != nil {
		return err
	}
	id, duplicate, err := s.publish(r, key.Site, posted, idempotency)
	if err != nil {
		return err
	}
	v.id, v.name = id, "stored"
	if duplicate {
		v.name = "duplicate"
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	if !wantsJSON(r) {
		return c.String(http.StatusOK, "thanks")
	}
	return writeJSON(c, stored{id.String(), duplicate})
}

// publish stores a signup and observes how long that takes.
func (s *Server) publish(r *http.Request, site string, posted signup.Signup, key string) (id stream.ID, duplicate bool, err error) {
	ctx, cancel := s.writeContext(r)
	defer cancel()
	start := time.Now()
	id, duplicate, err = s.o.Registry.Publish(ctx, site, posted.Data(), key)
	s.metrics.append.Observe(time.Since(start).Seconds())
	return id, duplicate, err
}

// deleteSignup erases a signup and withdraws it from every open page.
func (s *Server) deleteSignup(c echo.Context, v *outcome) error {
	r := c.Request()
	key, err := s.authorize(r, "")
	if err != nil {
		return err
	}
	v.site = key.Site
	id, err := stream.ParseID(c.Param("id"))
	if err != nil {
		return err
	}
	if err := s.checkStarted(); err != nil {
		return err
	}
	ctx, cancel := s.writeContext(r)
	defer cancel()
	if err := s.o.Registry.Retract(ctx, key.Site, id); err != nil {
		return err
	}
	v.id, v.name = id, "retracted"
	return c.NoContent(http.StatusNoContent)
}

// writeContext returns a context for changing the log. It ends after Options.PostTimeout, not when the client disconnects:
// net/http ends the request's context also for a client that has closed only its sending side and waits for the response.
func (s *Server) writeContext(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), s.o.PostTimeout)
}

// idempotencyKey returns the request's Idempotency-Key, 1 to 128 printable ASCII characters, or empty when it has none. The
// error is a 422.
func idempotencyKey(r *http.Request) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	bad := func(what string) error {
		return &Problem{Status: http.StatusUnprocessableEntity, Field: "Idempotency-Key", Detail: "Idempotency-Key " + what}
	}
	key := values[0]
	if len(values) > 1 {
		return "", bad("is given more than once: send it once")
	}
	if len(key) < 1 || len(key) > 128 {
		return "", bad("must have 1 to 128 characters")
	}
	for _, b := range []byte(key) {
		if b < ' ' || b > '~' {
			return "", bad("must be printable ASCII")
		}
	}
	return key, nil
}

// writeJSON responds with 200 and one JSON value, which browsers must not take for another type.
func writeJSON(c echo.Context, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	c.Response().Header().Set("X-Content-Type-Options", "nosniff")
	return c.Blob(http.StatusOK, "application/json", b)
}
