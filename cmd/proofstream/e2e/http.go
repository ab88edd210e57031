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

// httpClient makes the requests of tests: without a proxy, with up to 64 idle connections to a host.
var httpClient = &http.Client{
	Timeout:   waitfor.Patience,
	Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
}

// Server is an HTTP server that tests send requests to: a program, a proxy in front of it, or its metrics.
type Server struct {
	URL    string       // without a slash at the end
	Key    string       // API key of posts and erasures
	Client *http.Client // nil uses the harness's own
}

// Response is the response to a request, read completely.
type Response struct {
	Status int
	Header http.Header
	Body   string
	Proto  int // major version: 2 for HTTP/2
}

// Request is TryRequest that fails the test on an error.
func (s Server) Request(t testing.TB, method, path, body string, headers ...string) Response {
	t.Helper()
	a, err := s.TryRequest(method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TryRequest sends a request and returns the response. Headers have the form "Name: value". It may be called on any goroutine.
func (s Server) TryRequest(method, path, body string, headers ...string) (Response, error) {
	r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		return Response{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	client := s.Client
	if client == nil {
		client = httpClient
	}
	resp, err := client.Do(r)
	if err != nil {
		return Response{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return Response{resp.StatusCode, resp.Header, string(b), resp.ProtoMajor}, err
}

// Get sends a GET request.
func (s Server) Get(t testing.TB, path string, headers ...string) Response {
	t.Helper()
	return s.Request(t, "GET", path, "", headers...)
}

// ErrUnknown says that a post got no response, or one after which the signup may be stored or not: 503, or unreadable.
var ErrUnknown = errors.New("outcome unknown")

// TryPost is PostKeyed without duplicate.
func (s Server) TryPost(idempotencyKey string, fields ...string) (id string, err error) {
	id, _, err = s.PostKeyed(idempotencyKey, fields...)
	return id, err
}

// PostKeyed posts a signup as JSON. Fields have the form "name=value". An empty idempotencyKey sends no Idempotency-Key. The error
// wraps ErrUnknown when the signup may be stored. It may be called on any goroutine.
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
	a, err := s.TryRequest("POST", "/signup", MustJSON(body), headers...)
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

// MustJSON returns v as JSON. It panics when v cannot be encoded.
func MustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Post posts a signup and returns its id. Fields have the form "name=value". A status other than 200 fails the test.
func (s Server) Post(t testing.TB, fields ...string) (id string) {
	t.Helper()
	id, err := s.TryPost("", fields...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// PostMany posts n signups with the names prefix0, prefix1 …, one after the other, and returns their ids.
func (s Server) PostMany(t testing.TB, prefix string, n int) (ids []string) {
	t.Helper()
	for i := range n {
		ids = append(ids, s.Post(t, fmt.Sprintf("user_name=%s%d", prefix, i)))
	}
	return ids
}

// Burst posts n signups from eight goroutines and returns their ids in the order of the log. Each signup has its own name and the
// given fields.
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

// Erase erases a signup. A status other than 204 fails the test.
func (s Server) Erase(t testing.TB, id string) {
	t.Helper()
	if a := s.Request(t, "DELETE", "/signup/"+id, "", "X-API-Key: "+s.Key); a.Status != 204 {
		t.Errorf("erase %s: %d %s", id, a.Status, a.Body)
	}
}

// metric returns the value of a metric. A name without labels gives the sum over all labels.
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
