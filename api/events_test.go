package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestStreamToTheByte(t *testing.T) {
	onEach(t, func(t *testing.T, h *harness, w way) {
		c := h.openBy(t, w, "/events")
		id := h.post(t, `{"user_name":"Ada","offer_name":"Spring Sale","place":"Rome","url":"/sale","kind":"order"}`)
		got := c.next(t, 2)
		opening := regexp.MustCompile(`^event: ready\nretry: (\d+)\n` +
			`data: \{"replay":"fresh","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"\}\nid: [a-z0-9]{1,16}-0\n\n$`)
		if !opening.MatchString(got[0].Frame) {
			t.Errorf("got opening frame\n%q", got[0].Frame)
		}
		if c.Retry < 2100*time.Millisecond || c.Retry > 3900*time.Millisecond {
			t.Errorf("got retry %v, want 3 s give or take 30 %%", c.Retry)
		}
		signup := regexp.MustCompile(`^event: signup\ndata: \{"img_path":"default","offer_name":"Spring Sale","user_name":"Ada",` +
			`"place":"Rome","url":"/sale","kind":"order","at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"\}\nid: ` + id + `\n\n$`)
		if !signup.MatchString(got[1].Frame) {
			t.Errorf("got frame\n%q", got[1].Frame)
		}
		h.request(t, "DELETE", "/signup/"+id, "", asOwner)
		retraction := c.next(t, 1)[0].Frame
		if want := regexp.MustCompile(`^event: retract\ndata: \{"id":"` + id + `"\}\nid: [a-z0-9]{1,16}-2\n\n$`); !want.MatchString(retraction) {
			t.Errorf("got frame\n%q", retraction)
		}
	})
}

func TestStreamHeaders(t *testing.T) {
	onEach(t, func(t *testing.T, h *harness, w way) {
		got := h.openBy(t, w, "/events", "Accept-Encoding: gzip, br", "Origin: https://pages.example.com")
		want := map[string]string{
			"Content-Type":                "text/event-stream; charset=utf-8",
			"Cache-Control":               "no-cache, no-store, no-transform",
			"X-Accel-Buffering":           "no",
			"Content-Encoding":            "",
			"Content-Length":              "",
			"Vary":                        "Origin",
			"Access-Control-Allow-Origin": "https://pages.example.com",
			"X-Content-Type-Options":      "nosniff",
		}
		for name, value := range want {
			if got := got.Header.Get(name); got != value {
				t.Errorf("%s: got %q, want %q", name, got, value)
			}
		}
		if got.StatusCode != 200 || got.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("got %d %v", got.StatusCode, got.Header)
		}
	})
}

func TestEveryProtocolCarriesTheSameBytes(t *testing.T) {
	h := serve(t)
	kept := h.withFlush(t)
	var all []*client
	for _, w := range ways {
		from := h
		if w.flush {
			from = kept
		}
		all = append(all, from.openBy(t, w, "/events"))
	}
	for i := range 20 {
		h.post(t, fmt.Sprintf(`{"user_name":"Visitor %d 🎉"}`, i))
	}
	var first string
	for i, c := range all {
		var got strings.Builder
		for _, e := range c.next(t, 21)[1:] {
			got.WriteString(e.Frame)
		}
		if i == 0 {
			first = got.String()
		}
		if got.String() != first {
			t.Errorf("%s: got\n%q, want\n%q", ways[i].name, got.String(), first)
		}
	}
}

// withFlush serves the same log and registry with a Server that keeps streams with net/http.
func (h *harness) withFlush(t *testing.T) *harness {
	t.Helper()
	server, err := New(Options{Sites: h.o.Sites, Flush: true, Log: h.o.Log, Registry: h.o.Registry, Assets: fewAssets})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(server)
	t.Cleanup(func() {
		h.o.Registry.Drain(context.Background(), time.Millisecond)
		s.Close()
		server.Close()
	})
	return &harness{Server: server, url: s.URL, client: h.client}
}

func TestTextArrivesAsItWasPosted(t *testing.T) {
	texts := []string{
		"🎉🏳️‍🌈", "a\u2028b\u2029c", ": colon", `quotes " and \ backslashes \n`, "data: x", "id: 1", "event: busy", "retry: 1",
		"</script><b>&amp;", "日本語", "null", "é", "\u200dx", "العربية", "0", "{}", "x\u0085y",
	}
	h := serve(t)
	c := h.open(t, "/events")
	c.next(t, 1)
	for _, want := range texts {
		body, err := json.Marshal(map[string]string{"user_name": want})
		if err != nil {
			t.Fatal(err)
		}
		resp := h.request(t, "POST", "/signup", string(body), jsonType, asOwner)
		if resp.status == 422 && want == "x\u0085y" { // a control character
			continue
		}
		var got struct {
			Name string `json:"user_name"`
		}
		e := c.next(t, 1)[0]
		if err := json.Unmarshal([]byte(e.Data), &got); err != nil {
			t.Fatal(err)
		}
		if resp.status != 200 || got.Name != want || e.Kind != "signup" {
			t.Errorf("%q: got %d and %q in an event %q", want, resp.status, got.Name, e.Kind)
		}
	}
	for _, field := range c.Fields {
		if !slices.Contains([]string{"event", "retry", "data", "id"}, field) {
			t.Errorf("got a line of field %q", field)
		}
	}
}

func TestLargestSignupFitsAFrame(t *testing.T) {
	h := serve(t)
	c := h.open(t, "/events")
	c.next(t, 1)
	path := "/" + strings.Repeat("&", 2047) // what encoders like to make longer
	for _, char := range []string{"🎉", `"`, "\u2028", "<", "\\"} {
		text := "x" + strings.Repeat(char, 118) + "x"
		var body strings.Builder
		enc := json.NewEncoder(&body)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(map[string]string{"user_name": text, "offer_name": text, "place": text, "img_path": path, "url": path, "kind": strings.Repeat("k", 32)}); err != nil {
			t.Fatal(err)
		}
		h.post(t, body.String())
		e := c.next(t, 1)[0]
		var got map[string]string
		if err := json.Unmarshal([]byte(e.Data), &got); err != nil {
			t.Fatal(err)
		}
		if len(e.Frame) > 8<<10 || got["user_name"] != text || got["url"] != path {
			t.Errorf("of %q: got a frame of %d bytes and %.300q", char, len(e.Frame), got)
		}
	}
}
