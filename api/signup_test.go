package api_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	jsonType = "Content-Type: application/json"
	formType = "Content-Type: application/x-www-form-urlencoded"
	partType = "Content-Type: multipart/form-data; boundary=b"
)

// parts is a multipart body of name, value, name, value …
func parts(fields ...string) string {
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		b.WriteString("--b\r\nContent-Disposition: form-data; name=\"" + fields[i] + "\"\r\n\r\n" + fields[i+1] + "\r\n")
	}
	return b.String() + "--b--\r\n"
}

func TestStoredPosts(t *testing.T) {
	f := serve(t)
	o, r := f.open(ways[0], "/events"), &reader{}
	o.next(t, r, 1)
	ada := `{"img_path":"default","offer_name":"Spring Sale","user_name":"Ada",`
	tests := []struct {
		name, body string
		headers    []string
		answer     string // a JSON answer where it begins with {
		event      string // beginning of its data
	}{
		{"the original's own request", "api_key=" + key + "&img_path=&offer_name=Spring Sale&user_name=Ada", []string{formType}, "thanks", ada},
		{"a form", "api_key=" + key + "&offer_name=Spring+Sale&user_name=Ada", []string{formType}, "thanks", ada},
		{"a multipart form", parts("api_key", key, "offer_name", "Spring Sale", "user_name", "Ada"), []string{partType}, "thanks", ada},
		{"JSON", `{"api_key":"` + key + `","offer_name":"Spring Sale","user_name":"Ada"}`, []string{jsonType}, "{", ada},
		{"a form that accepts JSON", "api_key=" + key + "&offer_name=Spring+Sale&user_name=Ada", []string{formType, "Accept: application/json"}, "{", ada},
		{"a bearer key", `{"offer_name":"Spring Sale","user_name":"Ada"}`, []string{jsonType, "Authorization: Bearer " + key}, "{", ada},
		{"a key in a header", `{"offer_name":"Spring Sale","user_name":"Ada"}`, []string{jsonType, "X-API-Key: " + key}, "{", ada},
		{"the bearer key wins", `{"api_key":"wrong-key-in-body-x","offer_name":"Spring Sale","user_name":"Ada"}`,
			[]string{jsonType, "X-API-Key: wrong-key-in-header", "authorization: bearer " + key}, "{", ada},
		{"nothing but a key", "api_key=" + key, []string{formType}, "thanks",
			`{"img_path":"default","offer_name":"one of our partners","user_name":"someone",`},
		{"empty fields", "api_key=" + key + "&img_path=&offer_name=&user_name=&place=&url=", []string{formType}, "thanks",
			`{"img_path":"default","offer_name":"one of our partners","user_name":"someone",`},
		{"null and blank", `{"img_path":null,"offer_name":" \t","user_name":"\u200d","place":null}`, []string{jsonType, "X-API-Key: " + key}, "{",
			`{"img_path":"default","offer_name":"one of our partners","user_name":"someone",`},
		{"an empty object", `{}`, []string{jsonType, "X-API-Key: " + key}, "{", `{"img_path":"default","offer_name":"one of our partners","user_name":"someone",`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f.t = t
			a := f.ask("POST", "/signup", test.body, test.headers...)
			e := o.next(t, r, 1)[0]
			want := test.answer
			if want == "{" {
				want = `{"id":"` + e.id + `","duplicate":false}`
			}
			if a.status != 200 || a.body != want {
				t.Errorf("got %d %q, want %q", a.status, a.body, want)
			}
			if !strings.HasPrefix(e.data, test.event) {
				t.Errorf("got event %s, want %s…", e.data, test.event)
			}
		})
	}
}

func TestRefusedPosts(t *testing.T) {
	f := serve(t)
	long := strings.Repeat("x", 20_000)
	auth := "X-API-Key: " + key
	tests := []struct {
		name, path, body string
		headers          []string
		status           int
		field            string
	}{
		{"no key", "", `{}`, []string{jsonType}, 401, ""},
		{"a wrong key", "", `{}`, []string{jsonType, "X-API-Key: 0123456789abcdee"}, 401, ""},
		{"a prefix of the key", "", `{}`, []string{jsonType, "X-API-Key: 0123456789abcde"}, 401, ""},
		{"a longer key", "", `{}`, []string{jsonType, "X-API-Key: " + key + "0"}, 401, ""},
		{"a key in the URL", "?api_key=" + key, "user_name=Ada", []string{formType}, 401, ""},
		{"a wrong bearer key beside a right field", "", `{"api_key":"` + key + `"}`, []string{jsonType, "Authorization: Bearer nobodys-key-at-all"}, 401, ""},
		{"no JSON at all", "", ``, []string{jsonType, auth}, 400, ""},
		{"half JSON", "", `{"user_name":`, []string{jsonType, auth}, 400, ""},
		{"another JSON value", "", `[]`, []string{jsonType, auth}, 400, ""},
		{"trailing bytes", "", `{} {}`, []string{jsonType, auth}, 400, ""},
		{"a repeated member", "", `{"user_name":"a","user_name":"b"}`, []string{jsonType, auth}, 400, "user_name"},
		{"a repeated form field", "", "user_name=a&user_name=b", []string{formType, auth}, 400, "user_name"},
		{"a number for a name", "", `{"user_name":1}`, []string{jsonType, auth}, 400, "user_name"},
		{"invalid UTF-8", "", "{\"user_name\":\"\xff\"}", []string{jsonType, auth}, 400, ""},
		{"invalid UTF-8 in a form", "", "user_name=%ff", []string{formType, auth}, 400, "user_name"},
		{"an unknown field", "", `{"username":"Ada"}`, []string{jsonType, auth}, 422, "username"},
		{"a long name", "", `{"user_name":"` + strings.Repeat("é", 121) + `"}`, []string{jsonType, auth}, 422, "user_name"},
		{"a control character", "", `{"user_name":"a\u0007"}`, []string{jsonType, auth}, 422, "user_name"},
		{"a script for a picture", "", `{"img_path":"javascript:alert(1)"}`, []string{jsonType, auth}, 422, "img_path"},
		{"another host's path", "", `{"url":"//evil.example"}`, []string{jsonType, auth}, 422, "url"},
		{"a bad Idempotency-Key", "", `{}`, []string{jsonType, auth, "Idempotency-Key: " + strings.Repeat("k", 129)}, 422, "Idempotency-Key"},
		{"a long body", "", `{"user_name":"` + long + `"}`, []string{jsonType, auth}, 413, ""},
		{"a long form", "", "user_name=" + long, []string{formType, auth}, 413, ""},
		{"a long body without a key", "", "user_name=" + long, []string{formType}, 413, ""},
		{"another media type", "", `{}`, []string{"Content-Type: text/plain", auth}, 415, ""},
		{"no media type", "", `{}`, []string{auth}, 415, ""},
	}
	unauthorized := map[string]bool{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f.t = t
			f.checkRefusal(f.ask("POST", "/signup"+test.path, test.body, test.headers...), test.status, test.field, test.headers[0])
			a := f.ask("POST", "/signup"+test.path, test.body, append(test.headers, "Accept: application/json")...)
			f.checkRefusal(a, test.status, test.field, jsonType)
			if a.status == 401 {
				unauthorized[a.body] = true
			}
		})
	}
	if len(unauthorized) != 1 {
		t.Errorf("got different answers to wrong keys: %v", unauthorized)
	}
	f.t = t
	if a := f.ask("GET", "/stats", ""); a.body != `{"subscribers":0,"events":0}` {
		t.Errorf("got %s after refusals only", a.body)
	}
}

// checkRefusal looks at an answer's status, shape and silence about how things work inside.
func (f *harness) checkRefusal(a answer, status int, field, contentType string) {
	f.t.Helper()
	if a.status != status {
		f.t.Errorf("got %d %s, want %d", a.status, a.body, status)
	}
	if status == 401 && (a.header.Get("WWW-Authenticate") != "Bearer" || !strings.Contains(a.body, "Bad or missing API key")) {
		f.t.Errorf("got %v %s", a.header, a.body)
	}
	for _, inside := range []string{".go", "stream.", "api.", "0x", "json:", "127.0.0.1", key} {
		if strings.Contains(a.body, inside) {
			f.t.Errorf("the answer tells of %q: %s", inside, a.body)
		}
	}
	if contentType != jsonType {
		if !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") || strings.Contains(strings.TrimSuffix(a.body, "\n"), "\n") {
			f.t.Errorf("got %s %q, want one line of text", a.header.Get("Content-Type"), a.body)
		}
		return
	}
	var p struct {
		Status               int
		Title, Detail, Field string
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.header.Get("Content-Type") != "application/problem+json" {
		f.t.Fatalf("got %s %s", a.header.Get("Content-Type"), a.body)
	}
	if p.Status != status || p.Title == "" || p.Detail == "" || p.Field != field {
		f.t.Errorf("got %s, want status %d and field %q", a.body, status, field)
	}
}

func TestIdempotencyKeyMakesARetryHarmless(t *testing.T) {
	f := serve(t)
	post := func(body, apiKey, idempotency string) string {
		t.Helper()
		a := f.ask("POST", "/signup", body, jsonType, "X-API-Key: "+apiKey, "Idempotency-Key: "+idempotency)
		if a.status != 200 {
			t.Fatalf("got %d %s", a.status, a.body)
		}
		return a.body
	}
	first := post(`{"user_name":"Ada"}`, key, "order 17")
	again := strings.Replace(first, "false", "true", 1)
	if got := post(`{"user_name":"Bob"}`, key, "order 17"); got != again {
		t.Errorf("got %s, want %s", got, again)
	}
	if got := post(`{"user_name":"Ada"}`, otherKey, "order 17"); !strings.Contains(got, `"duplicate":false`) {
		t.Errorf("another site's key: got %s", got)
	}
	id := strings.Split(first, `"`)[3]
	if a := f.ask("DELETE", "/signup/"+id, "", "X-API-Key: "+key); a.status != 204 {
		t.Fatalf("erase: got %d %s", a.status, a.body)
	}
	if got := post(`{"user_name":"Ada"}`, key, "order 17"); got != again {
		t.Errorf("after it was erased: got %s, want %s", got, again)
	}
	if a := f.ask("GET", "/recent", ""); strings.Contains(a.body, "Ada") || strings.Contains(a.body, "Bob") {
		t.Errorf("got %s", a.body)
	}
}

func TestErase(t *testing.T) {
	f := serve(t)
	id := f.post(`{"user_name":"Ada"}`)
	epoch, _, _ := strings.Cut(id, "-")
	erase := func(id, apiKey string) int { return f.ask("DELETE", "/signup/"+id, "", "X-API-Key: "+apiKey).status }
	tests := []struct {
		name, id, key string
		want          int
	}{
		{"with a wrong key", id, "nobodys-key-at-all", 401},
		{"with another site's key", id, otherKey, 404},
		{"an id that was never given", epoch + "-999", key, 404},
		{"sequence zero", epoch + "-0", key, 404},
		{"no id at all", "x", key, 404},
		{"of another log", "zz-1", key, 404},
		{"an own one", id, key, 204},
		{"again", id, key, 204},
		{"a retraction", epoch + "-2", key, 404},
	}
	for _, test := range tests {
		if got := erase(test.id, test.key); got != test.want {
			t.Errorf("%s: got %d, want %d", test.name, got, test.want)
		}
	}
	got := f.open(ways[0], "/events?recent=5&last_event_id="+epoch+"-0").next(t, &reader{}, 2)
	if got[1].kind != "retract" || got[1].data != `{"id":"`+id+`"}` {
		t.Errorf("got %+v, want only the retraction", got[1:])
	}
}

// A request whose headers or body dribble in must not hold a connection for long.
func TestSlowRequestsAreCut(t *testing.T) {
	t.Parallel()
	f := serve(t)
	tests := []struct {
		name, head, dribble string
		within              time.Duration
	}{
		{"headers", "POST /signup HTTP/1.1\r\nHost: x\r\n", "X", 10 * time.Second},
		{"a body", "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n", " ", 30 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			began := time.Now()
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				conn.Write([]byte(test.head))
				for tick := time.NewTicker(300 * time.Millisecond); ; {
					select {
					case <-stop:
						tick.Stop()
						return
					case <-tick.C:
						conn.Write([]byte(test.dribble))
					}
				}
			}()
			conn.SetReadDeadline(began.Add(test.within + patience))
			for b := make([]byte, 1024); err == nil; {
				_, err = conn.Read(b)
			}
			if took := time.Since(began); took > test.within+2*time.Second {
				t.Errorf("cut after %v, want %v at most", took, test.within)
			}
		})
	}
}

// A client that has said all may close its side: to net/http that looks like one that has gone, but it still reads.
func TestClientThatHasSaidAllIsAnswered(t *testing.T) {
	f := serve(t)
	for _, request := range []string{
		"POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-API-Key: " + key + "\r\nContent-Length: 2\r\n\r\n{}",
		"DELETE /signup/" + f.post(`{}`) + " HTTP/1.1\r\nHost: x\r\nX-API-Key: " + key + "\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, request)
		conn.(*net.TCPConn).CloseWrite()
		conn.SetDeadline(time.Now().Add(patience))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode >= 300 {
			t.Errorf("got %s for %.20s", resp.Status, request)
		}
	}
}
