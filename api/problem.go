package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"proofstream/api/decode"
	"proofstream/stream"
	"proofstream/stream/signup"
)

// Problem is a response that refuses a request. It says what is wrong and what to do, and nothing of internals.
type Problem struct {
	Status     int
	Detail     string            // one line, for a person
	Field      string            // the field that is wrong, if one is; safe to repeat in the response
	RetryAfter time.Duration     // rounded up to seconds; 0 for none
	Header     map[string]string // more headers, such as Allow
	// Public lets pages of every origin read the response, as JSON whatever the request accepts, so that a refused page can
	// say what would allow it. The detail must be fit for any page.
	Public bool
	// rule is what the log says of the reason: the detail without the name of a field, which may be a key. It has nothing that
	// was posted.
	rule string
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// problemOf returns what a client may learn of an error: for an unknown one, a 500 without details. This is the only table from
// errors of the domain to statuses.
func problemOf(err error) *Problem {
	var (
		problem    *Problem
		unreadable *decode.Error
		rule       *signup.RuleError
	)
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.As(err, &unreadable):
		return &Problem{Status: unreadable.Status, Field: unreadable.Field, Detail: unreadable.Detail, rule: cmp.Or(unreadable.Rule, unreadable.Detail)}
	case errors.As(err, &rule):
		return &Problem{Status: http.StatusUnprocessableEntity, Field: rule.Field, Detail: rule.Error(), rule: rule.Rule}
	case errors.Is(err, stream.ErrNotFound), errors.Is(err, stream.ErrMalformedID):
		return &Problem{Status: http.StatusNotFound,
			Detail: "There is no such signup: check the id in the response to the post, or its Idempotency-Key"}
	case errors.Is(err, stream.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &Problem{
			Status:     http.StatusServiceUnavailable,
			Detail:     "Signups cannot be stored or read right now: try again, with the same Idempotency-Key if you sent one",
			RetryAfter: time.Second,
		}
	}
	return &Problem{Status: http.StatusInternalServerError, Detail: "Something went wrong on our side: try again later"}
}

// badKey returns the 401 for a missing key and for every wrong one: it does not show which.
func badKey() *Problem {
	return &Problem{
		Status: http.StatusUnauthorized,
		Detail: "Bad or missing API key",
		Header: map[string]string{"WWW-Authenticate": "Bearer"},
	}
}

// withoutScheme returns the 401 for a request whose Authorization is not of the scheme Bearer. Its response is that of every other one; the log
// tells the sender's operator what to change.
func withoutScheme() *Problem {
	p := badKey()
	p.rule = "the Authorization header is not of the scheme Bearer: send Authorization: Bearer KEY"
	return p
}

// tooMany returns a 429.
func tooMany(detail string, wait time.Duration) *Problem {
	return &Problem{Status: http.StatusTooManyRequests, Detail: detail, RetryAfter: wait}
}

// writeProblem writes a problem: as application/problem+json (RFC 9457) when it is public, and to clients that post or accept
// JSON; as one line of text to all others.
func writeProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	h := w.Header()
	for name, value := range p.Header {
		h.Set(name, value)
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.Public {
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", strings.Join(exposedHeaders, ", "))
	}
	body := []byte(p.Detail)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if p.Public || wantsJSON(r) {
		body = p.json()
		h.Set("Content-Type", "application/problem+json")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}

// json returns the problem as RFC 9457 has it. An absent type means about:blank (section 3.1.1).
func (p *Problem) json() []byte {
	b, err := json.Marshal(struct {
		Status int    `json:"status"`
		Title  string `json:"title"`
		Detail string `json:"detail,omitempty"`
		Field  string `json:"field,omitempty"`
	}{p.Status, http.StatusText(p.Status), p.Detail, p.Field})
	if err != nil {
		panic(err) // strings and a number always marshal
	}
	return append(b, '\n')
}

// wantsJSON reports whether the response to a request is JSON: the request posts JSON, or accepts it by name. A wildcard does
// not count, since every command-line client sends one.
func wantsJSON(r *http.Request) bool {
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media == decode.JSON {
		return true
	}
	for _, line := range r.Header.Values("Accept") {
		for accepted := range strings.SplitSeq(line, ",") {
			if acceptsJSON(accepted) {
				return true
			}
		}
	}
	return false
}

// acceptsJSON reports whether an element of an Accept header names JSON with a weight above 0.
func acceptsJSON(accepted string) bool {
	media, params, err := mime.ParseMediaType(accepted)
	if err != nil || media != decode.JSON && media != "application/problem+json" {
		return false
	}
	q, given := params["q"]
	weight, err := strconv.ParseFloat(q, 64)
	return !given || err == nil && weight > 0
}
