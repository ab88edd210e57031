package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"proofstream/stream/waitfor"
)

// HTTPClient is for requests that tests make: no proxy, many connections kept.
var HTTPClient = &http.Client{
	Timeout:   waitfor.Patience,
	Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
}

// Server is where tests send requests: a program, a proxy in front of it, or its metrics.
type Server struct {
	URL    string       // without a slash at the end
	Key    string       // to post with
	Client *http.Client // nil is httpClient
}

// Answer is the response to a request.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Proto  int // 2 of HTTP/2
}

// Ask makes a request; headers are "Name: value".
func (s Server) Ask(t testing.TB, method, path, body string, headers ...string) Answer {
	t.Helper()
	a, err := s.Try(method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Try is ask for requests that may fail.
func (s Server) Try(method, path, body string, headers ...string) (Answer, error) {
	r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	client := s.Client
	if client == nil {
		client = HTTPClient
	}
	resp, err := client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return Answer{resp.StatusCode, resp.Header, string(b), resp.ProtoMajor}, err
}

// Get requests a path.
func (s Server) Get(t testing.TB, path string, headers ...string) Answer {
	t.Helper()
	return s.Ask(t, "GET", path, "", headers...)
}

// ErrUnknown: a post had no answer, or one with which the signup may be stored or not.
var ErrUnknown = errors.New("outcome unknown")

// TryPost is PostKeyed for those who do not ask whether it was a duplicate.
func (s Server) TryPost(idempotencyKey string, fields ...string) (id string, err error) {
	id, _, err = s.PostKeyed(idempotencyKey, fields...)
	return id, err
}

// PostKeyed posts a signup as JSON, fields "name=value", with an Idempotency-Key if one is given. It may be called on any
// goroutine. The error wraps errUnknown when the signup may have been stored nevertheless.
func (s Server) PostKeyed(idempotencyKey string, fields ...string) (id string, duplicate bool, err error) {
	body := map[string]string{}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		body[name] = value
	}
	headers := []string{"Content-Type: application/json", "Authorization: Bearer " + s.Key}
	if idempotencyKey != "" {
		headers = append(headers, "Idempotency-Key: "+idempotencyKey)
	}
	a, err := s.Try("POST", "/signup", MustJSON(body), headers...)
	if err != nil {
		return "", false, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	var got struct {
		ID, Detail string
		Duplicate  bool
	}
	if err := json.Unmarshal([]byte(a.Body), &got); err != nil {
		return "", false, fmt.Errorf("%w: status %d: %w", ErrUnknown, a.Status, err)
	}
	switch a.Status {
	case 200:
		return got.ID, got.Duplicate, nil
	case 503:
		return "", false, fmt.Errorf("%w: status 503: %s", ErrUnknown, got.Detail)
	default:
		return "", false, fmt.Errorf("status %d: %s", a.Status, got.Detail)
	}
}

func MustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Post posts a signup, fields "name=value", and returns its id. Anything but 200 fails the test.
func (s Server) Post(t testing.TB, fields ...string) (id string) {
	t.Helper()
	id, err := s.TryPost("", fields...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// PostMany posts n signups named prefix0, prefix1 …, one after the other.
func (s Server) PostMany(t testing.TB, prefix string, n int) (ids []string) {
	t.Helper()
	for i := range n {
		ids = append(ids, s.Post(t, fmt.Sprintf("user_name=%s%d", prefix, i)))
	}
	return ids
}

// Burst posts n signups over eight connections at once, and returns their ids in the order of the log. All have the given
// fields.
func (s Server) Burst(t testing.TB, n int, fields ...string) (ids []string) {
	t.Helper()
	var (
		posting sync.WaitGroup
		mu      sync.Mutex // guards ids
		next    atomic.Int64
	)
	for range 8 {
		posting.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				id, err := s.TryPost("", append([]string{fmt.Sprintf("user_name=burst %d", i)}, fields...)...)
				mu.Lock()
				if err != nil {
					t.Errorf("post %d: %v", i, err)
				}
				ids = append(ids, id)
				mu.Unlock()
			}
		})
	}
	posting.Wait()
	sortIDs(ids)
	return ids
}

// Erase erases a signup.
func (s Server) Erase(t testing.TB, id string) {
	t.Helper()
	if a := s.Ask(t, "DELETE", "/signup/"+id, "", "X-API-Key: "+s.Key); a.Status != 204 {
		t.Errorf("erase %s: %d %s", id, a.Status, a.Body)
	}
}

// metric returns a figure of /metrics, the sum over all labels if the name has none.
func (s Server) metric(t testing.TB, name string) (sum float64) {
	t.Helper()
	text := s.Get(t, "/metrics").Body
	for _, m := range regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(name)+`(?:\{[^}]*\})? (\S+)$`).FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
