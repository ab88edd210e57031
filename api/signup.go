package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/api/auth"
	"proofstream/api/decode"
	"proofstream/stream"
	"proofstream/stream/signup"
)

// stored is the response to a JSON post that was stored.
type stored struct {
	ID        string   `json:"id"`
	Duplicate bool     `json:"duplicate"`
	Notes     []string `json:"notes,omitempty"` // sentences about what looks wrong
}

// keyAsName is the detail of a post with its own key as the name of a field. A name that is another key is not recognized: its response would
// show that it is one.
const keyAsName = "Your API key is the name of a field: send it as the value of api_key"

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
	posted, idempotency, err := checkRules(r, fields, auth.Presented(r, text))
	if err != nil {
		return err
	}
	if err := s.checkStarted(); err != nil {
		return err
	}
	id, duplicate, err := s.publish(r, key.Site, posted.Keep(s.sites[key.Site].Names), idempotency)
	if err != nil {
		return err
	}
	v.id, v.name = id, "stored"
	if duplicate {
		v.name = "duplicate"
	}
	notes := fields.Notes()
	s.logNotes(c, key.Site, notes)
	c.Response().Header().Set("Cache-Control", "no-store")
	if !wantsJSON(r) {
		return c.String(http.StatusOK, "thanks")
	}
	return writeJSON(c, stored{id.String(), duplicate, sentences(notes)})
}

// checkRules returns the signup in fields and the request's Idempotency-Key. The error is a 422.
func checkRules(r *http.Request, fields signup.Fields, apiKey string) (posted signup.Signup, idempotency string, err error) {
	if _, sent := fields[apiKey]; sent { // the response to an unknown field has its name
		return posted, "", &Problem{Status: http.StatusUnprocessableEntity, Detail: keyAsName, rule: keyAsName}
	}
	if posted, err = signup.New(fields); err != nil {
		return posted, "", err
	}
	idempotency, err = idempotencyKey(r)
	return posted, idempotency, err
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

// deleteSignup erases the signup with an id and withdraws it from every open page.
func (s *Server) deleteSignup(c echo.Context, v *outcome) error {
	return s.erase(c, v, func(ctx context.Context, site string) (stream.ID, error) {
		id, err := stream.ParseID(c.Param("id"))
		if err != nil {
			return id, err
		}
		return id, s.o.Registry.Retract(ctx, site, id)
	})
}

// deleteByKey erases the signup that was posted with an Idempotency-Key, and withdraws it from every open page.
func (s *Server) deleteByKey(c echo.Context, v *outcome) error {
	return s.erase(c, v, func(ctx context.Context, site string) (stream.ID, error) {
		switch values := queryValues(c.Request(), eraseBy); {
		case len(values) != 1 || values[0] == "":
			return stream.ID{}, &Problem{Status: http.StatusBadRequest,
				Detail: "Say which signup to erase: DELETE /signup/ID, or DELETE /signup?" + eraseBy + "=KEY with the Idempotency-Key of its post"}
		case checkIdempotencyKey(values[0]) != "":
			return stream.ID{}, stream.ErrNotFound // no post can have had it
		default:
			return s.o.Registry.RetractKey(ctx, site, values[0])
		}
	})
}

// eraseBy is the query parameter of DELETE /signup. It is the only one in the query that a post or an erasure has.
const eraseBy = "idempotency_key"

// erase checks the key of a request, which must be in a header, and calls retract with its site.
func (s *Server) erase(c echo.Context, v *outcome, retract func(context.Context, string) (stream.ID, error)) error {
	r := c.Request()
	key, err := s.authorize(r, "")
	if err != nil {
		return err
	}
	v.site = key.Site
	if err := s.checkStarted(); err != nil {
		return err
	}
	ctx, cancel := s.writeContext(r)
	defer cancel()
	id, err := retract(ctx, key.Site)
	if err != nil {
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

// idempotencyKey returns the request's Idempotency-Key, or empty when it has none. The error is a 422.
func idempotencyKey(r *http.Request) (string, error) {
	const field = "Idempotency-Key"
	values := r.Header.Values(field)
	if len(values) == 0 {
		return "", nil
	}
	broken := checkIdempotencyKey(values[0])
	if len(values) > 1 {
		broken = "is given more than once: send it once"
	}
	if broken != "" {
		return "", &Problem{Status: http.StatusUnprocessableEntity, Field: field, Detail: field + " " + broken, rule: broken}
	}
	return values[0], nil
}

// checkIdempotencyKey returns which rule a key breaks, empty for none: it has 1 to 128 printable ASCII characters.
func checkIdempotencyKey(key string) (broken string) {
	if len(key) < 1 || len(key) > 128 {
		return "must have 1 to 128 characters"
	}
	for _, b := range []byte(key) {
		if b < ' ' || b > '~' {
			return "must be printable ASCII"
		}
	}
	return ""
}

// writeJSON responds with 200 and one JSON value, which browsers must not take for another type.
func writeJSON(c echo.Context, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return writeRawJSON(c, b)
}

// writeRawJSON does so with a value that is JSON already.
func writeRawJSON(c echo.Context, b []byte) error {
	c.Response().Header().Set("X-Content-Type-Options", "nosniff")
	return c.Blob(http.StatusOK, "application/json", b)
}
