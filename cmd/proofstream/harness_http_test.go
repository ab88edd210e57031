package main

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
)

// httpClient is for requests that tests make: no proxy, many connections kept.
var httpClient = &http.Client{
	Timeout:   patience,
	Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
}

// server is where tests send requests: a program, a proxy in front of it, or its metrics.
type server struct {
	url    string       // without a slash at the end
	key    string       // to post with
	client *http.Client // nil is httpClient
}

// answer is the response to a request.
type answer struct {
	status int
	header http.Header
	body   string
	proto  int // 2 of HTTP/2
}

// ask makes a request; headers are "Name: value".
func (s server) ask(t testing.TB, method, path, body string, headers ...string) answer {
	t.Helper()
	a, err := s.try(method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// try is ask for requests that may fail.
func (s server) try(method, path, body string, headers ...string) (answer, error) {
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	client := s.client
	if client == nil {
		client = httpClient
	}
	resp, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b), resp.ProtoMajor}, err
}

// get requests a path.
func (s server) get(t testing.TB, path string, headers ...string) answer {
	t.Helper()
	return s.ask(t, "GET", path, "", headers...)
}

// errUnknown: a post had no answer, or one with which the signup may be stored or not.
var errUnknown = errors.New("outcome unknown")

// tryPost is postKeyed for those who do not ask whether it was a duplicate.
func (s server) tryPost(idempotencyKey string, fields ...string) (id string, err error) {
	id, _, err = s.postKeyed(idempotencyKey, fields...)
	return id, err
}

// postKeyed posts a signup as JSON, fields "name=value", with an Idempotency-Key if one is given. It may be called on any
// goroutine. The error wraps errUnknown when the signup may have been stored nevertheless.
func (s server) postKeyed(idempotencyKey string, fields ...string) (id string, duplicate bool, err error) {
	body := map[string]string{}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		body[name] = value
	}
	headers := []string{"Content-Type: application/json", "Authorization: Bearer " + s.key}
	if idempotencyKey != "" {
		headers = append(headers, "Idempotency-Key: "+idempotencyKey)
	}
	a, err := s.try("POST", "/signup", mustJSON(body), headers...)
	if err != nil {
		return "", false, fmt.Errorf("%w: %w", errUnknown, err)
	}
	var got struct {
		ID, Detail string
		Duplicate  bool
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		return "", false, fmt.Errorf("%w: status %d: %w", errUnknown, a.status, err)
	}
	switch a.status {
	case 200:
		return got.ID, got.Duplicate, nil
	case 503:
		return "", false, fmt.Errorf("%w: status 503: %s", errUnknown, got.Detail)
	default:
		return "", false, fmt.Errorf("status %d: %s", a.status, got.Detail)
	}
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// post posts a signup, fields "name=value", and returns its id. Anything but 200 fails the test.
func (s server) post(t testing.TB, fields ...string) (id string) {
	t.Helper()
	id, err := s.tryPost("", fields...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// postMany posts n signups named prefix0, prefix1 …, one after the other.
func (s server) postMany(t testing.TB, prefix string, n int) (ids []string) {
	t.Helper()
	for i := range n {
		ids = append(ids, s.post(t, fmt.Sprintf("user_name=%s%d", prefix, i)))
	}
	return ids
}

// burst posts n signups over eight connections at once, and returns their ids in the order of the log. All have the given
// fields.
func (s server) burst(t testing.TB, n int, fields ...string) (ids []string) {
	t.Helper()
	var (
		posting sync.WaitGroup
		mu      sync.Mutex // guards ids
		next    atomic.Int64
	)
	for range 8 {
		posting.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				id, err := s.tryPost("", append([]string{fmt.Sprintf("user_name=burst %d", i)}, fields...)...)
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

// erase erases a signup.
func (s server) erase(t testing.TB, id string) {
	t.Helper()
	if a := s.ask(t, "DELETE", "/signup/"+id, "", "X-API-Key: "+s.key); a.status != 204 {
		t.Errorf("erase %s: %d %s", id, a.status, a.body)
	}
}

// metric returns a figure of /metrics, the sum over all labels if the name has none.
func (s server) metric(t testing.TB, name string) (sum float64) {
	t.Helper()
	text := s.get(t, "/metrics").body
	for _, m := range regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(name)+`(?:\{[^}]*\})? (\S+)$`).FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
