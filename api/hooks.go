package api

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/api/auth"
	"proofstream/api/decode"
	"proofstream/api/hook"
	"proofstream/stream"
)

// maxHookBody is the longest body of a webhook's delivery, in bytes.
const maxHookBody = 1 << 20

// noHook is the label of a delivery to a webhook that does not exist. No webhook can have this name.
const noHook = "_unknown"

// hookOutcomes are all values of the label outcome of deliveries.
var hookOutcomes = []string{
	"stored", "duplicate", "withdrawn", "nothing_to_withdraw", "ignored", "ping", // 200
	"malformed", "unauthorized", "not_found", "slow", "too_large", "media_type", "invalid", "limited", "unavailable", "error", // as in outcomes
}

// hookTexts are the responses to deliveries with status 200, by outcome.
var hookTexts = map[string]string{
	"stored":              "stored",
	"duplicate":           "duplicate: the signup with this key is stored already",
	"withdrawn":           "withdrawn",
	"nothing_to_withdraw": "nothing to withdraw: no signup with this key is known",
	"ignored":             "ignored: a condition of WHEN does not hold",
	"ping":                "ping: the address is right",
}

// webhook is a hook with its rate limit, that of an API key.
type webhook struct {
	*hook.Hook
	limit *auth.Key
}

func newWebhook(h *hook.Hook, perSecond int) webhook {
	return webhook{h, auth.NewKey(h.Site(), h.Name(), perSecond)}
}

// countedHook counts the outcome of each delivery and logs it in one line, as counted does for signups.
func (s *Server) countedHook(handle func(echo.Context, webhook, *outcome) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		name, v := noHook, outcome{name: "error"} // for a handler that panics
		defer func() {
			s.metrics.hooks.WithLabelValues(name, v.name).Inc()
			attrs := append(make([]slog.Attr, 0, 7), slog.String("hook", name), slog.String("outcome", v.name))
			attrs = append(attrs, v.reason()...)
			s.o.Logger.LogAttrs(c.Request().Context(), slog.LevelInfo, "hook",
				append(attrs, slog.Duration("duration", time.Since(start)), slog.String("request", requestID(c)))...)
		}()
		to, found := s.hooks[c.Param("name")]
		if !found {
			err := &Problem{Status: http.StatusNotFound, Detail: "There is no such webhook: check its name, PROOF_HOOKS_0_NAME and so on"}
			v = outcome{name: outcomeOf(err), refused: err}
			return err
		}
		name = to.Name()
		var done outcome
		err := handle(c, to, &done)
		if err != nil {
			done = outcome{name: outcomeOf(err), refused: problemOf(err)}
		}
		v = done
		return err
	}
}

// postHook stores or withdraws the signup of a delivery. It checks in this order: whether the body can be read, its signature, the rate limit of
// the hook, what the body says, and the rules of a signup.
func (s *Server) postHook(c echo.Context, to webhook, v *outcome) error {
	r := c.Request()
	body, err := decode.Body(r, maxHookBody, "Send at most 1 MiB: choose fewer fields at the sender")
	if err != nil {
		return err
	}
	endBodyDeadline(c)
	if to.IsPing(body) {
		return respondToHook(c, v, stream.ID{}, "ping")
	}
	if err := s.verify(to, r, body); err != nil {
		return err
	}
	if wait := to.limit.Wait(time.Now()); wait > 0 {
		return tooMany("Too many deliveries of this webhook: try again later", wait)
	}
	d, err := to.Read(r.Header, body)
	if err != nil {
		return deliveryProblem(err)
	}
	switch d.Action {
	case hook.Ping:
		return respondToHook(c, v, stream.ID{}, "ping")
	case hook.Ignore:
		return respondToHook(c, v, stream.ID{}, "ignored")
	}
	if err := s.checkStarted(); err != nil {
		return err
	}
	if d.Action == hook.Retract {
		return s.withdraw(c, to, v, d.Key)
	}
	return s.store(c, to, v, d)
}

// store publishes the signup of a delivery, with what the site's policy keeps of the name.
func (s *Server) store(c echo.Context, to webhook, v *outcome, d hook.Delivery) error {
	id, duplicate, err := s.publish(c.Request(), to.Site(), d.Signup.Keep(s.sites[to.Site()].Names), d.Key)
	if err != nil {
		return err
	}
	s.logNotes(c, to.Site(), d.Fields.Notes())
	if duplicate {
		return respondToHook(c, v, id, "duplicate")
	}
	return respondToHook(c, v, id, "stored")
}

// withdraw retracts the signup that was published with key; an empty key is that of none.
func (s *Server) withdraw(c echo.Context, to webhook, v *outcome, key string) error {
	if key == "" {
		return respondToHook(c, v, stream.ID{}, "nothing_to_withdraw")
	}
	ctx, cancel := s.writeContext(c.Request())
	defer cancel()
	id, err := s.o.Registry.RetractKey(ctx, to.Site(), key)
	if errors.Is(err, stream.ErrNotFound) {
		return respondToHook(c, v, stream.ID{}, "nothing_to_withdraw")
	}
	if err != nil {
		return err
	}
	return respondToHook(c, v, id, "withdrawn")
}

// respondToHook records the outcome of a delivery and responds with its text.
func respondToHook(c echo.Context, v *outcome, id stream.ID, name string) error {
	v.id, v.name = id, name
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.String(http.StatusOK, hookTexts[name])
}

// verify returns a 401 for a delivery whose signature is missing or wrong, the same in every case, or a 429 for an address that has sent too many
// wrong ones.
func (s *Server) verify(to webhook, r *http.Request, body []byte) error {
	err := to.Verify(r.Header, body, time.Now())
	if err == nil {
		return nil
	}
	if !errors.Is(err, hook.ErrUnsigned) {
		if wait := s.failures.Wait(s.connections.Proxies.Client(r), time.Now()); wait > 0 {
			return tooMany("Too many wrong signatures from this address: correct the signing secret, then try again later", wait)
		}
	}
	return &Problem{
		Status: http.StatusUnauthorized,
		Detail: "Bad or missing signature: check the signing secret",
		Header: map[string]string{"WWW-Authenticate": "Signature"},
		rule:   err.Error(),
	}
}

// deliveryProblem returns the problem of a delivery that Read refuses.
func deliveryProblem(err error) error {
	if unreadable, ok := errors.AsType[*hook.UnreadableError](err); ok {
		return &Problem{Status: http.StatusBadRequest, Detail: unreadable.Detail, rule: unreadable.Detail}
	}
	if errors.Is(err, hook.ErrEmpty) {
		const detail = "The delivery holds neither a name nor an offer: correct USER_NAME and OFFER_NAME of this webhook, or let WHEN leave it out"
		return &Problem{Status: http.StatusUnprocessableEntity, Detail: detail, rule: detail}
	}
	return err
}
