package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"proofstream/stream"
)

func TestStreamToTheByte(t *testing.T) {
	onEach(t, func(t *testing.T, f *harness, w way) {
		o, r := f.open(w, "/events"), &reader{}
		id := f.post(`{"user_name":"Ada","offer_name":"Spring Sale","place":"Rome","url":"/sale"}`)
		got := o.next(t, r, 2)
		opening := regexp.MustCompile(`^event: ready\nretry: (\d+)\n` +
			`data: \{"replay":"fresh","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"\}\nid: [a-z0-9]{1,16}-0\n\n$`)
		if !opening.MatchString(got[0].frame) {
			t.Errorf("got opening frame\n%q", got[0].frame)
		}
		if r.retry < 2100 || r.retry > 3900 {
			t.Errorf("got retry %d, want 3 s give or take 30 %%", r.retry)
		}
		signup := regexp.MustCompile(`^event: signup\ndata: \{"img_path":"default","offer_name":"Spring Sale","user_name":"Ada",` +
			`"place":"Rome","url":"/sale","at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"\}\nid: ` + id + `\n\n$`)
		if !signup.MatchString(got[1].frame) {
			t.Errorf("got frame\n%q", got[1].frame)
		}
		f.ask("DELETE", "/signup/"+id, "", "X-API-Key: "+key)
		retraction := o.next(t, r, 1)[0].frame
		if want := regexp.MustCompile(`^event: retract\ndata: \{"id":"` + id + `"\}\nid: [a-z0-9]{1,16}-2\n\n$`); !want.MatchString(retraction) {
			t.Errorf("got frame\n%q", retraction)
		}
	})
}

func TestStreamHeaders(t *testing.T) {
	onEach(t, func(t *testing.T, f *harness, w way) {
		got := f.open(w, "/events", "Accept-Encoding: gzip, br", "Origin: https://shop.example")
		want := map[string]string{
			"Content-Type":                "text/event-stream; charset=utf-8",
			"Cache-Control":               "no-cache, no-store, no-transform",
			"X-Accel-Buffering":           "no",
			"Content-Encoding":            "",
			"Content-Length":              "",
			"Vary":                        "Origin",
			"Access-Control-Allow-Origin": "https://shop.example",
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
	f := serve(t)
	kept := f.withFlush()
	var all []*opened
	for _, w := range ways {
		from := f
		if w.flush {
			from = kept
		}
		all = append(all, from.open(w, "/events"))
	}
	for i := range 20 {
		f.post(fmt.Sprintf(`{"user_name":"Visitor %d 🎉"}`, i))
	}
	var first string
	for i, o := range all {
		var got strings.Builder
		for _, e := range o.next(t, &reader{}, 21)[1:] {
			got.WriteString(e.frame)
		}
		if i == 0 {
			first = got.String()
		}
		if got.String() != first {
			t.Errorf("%s: got\n%q, want\n%q", ways[i].name, got.String(), first)
		}
	}
}

func TestTextArrivesAsItWasPosted(t *testing.T) {
	texts := []string{
		"🎉🏳️‍🌈", "a\u2028b\u2029c", ": colon", `quotes " and \ backslashes \n`, "data: x", "id: 1", "event: busy", "retry: 1",
		"</script><b>&amp;", "日本語", "null", "é", "\u200dx", "العربية", "0", "{}", "x\u0085y",
	}
	f := serve(t)
	o, r := f.open(ways[0], "/events"), &reader{}
	o.next(t, r, 1)
	for _, want := range texts {
		body, err := json.Marshal(map[string]string{"user_name": want})
		if err != nil {
			t.Fatal(err)
		}
		a := f.ask("POST", "/signup", string(body), "Content-Type: application/json", "X-API-Key: "+key)
		if a.status == 422 && want == "x\u0085y" { // a control character
			continue
		}
		var got struct {
			Name string `json:"user_name"`
		}
		e := o.next(t, r, 1)[0]
		if err := json.Unmarshal([]byte(e.data), &got); err != nil {
			t.Fatal(err)
		}
		if a.status != 200 || got.Name != want || e.kind != "signup" {
			t.Errorf("%q: got %d and %q in an event %q", want, a.status, got.Name, e.kind)
		}
	}
	for _, field := range r.fields {
		if !slices.Contains([]string{"event", "retry", "data", "id"}, field) {
			t.Errorf("got a line of field %q", field)
		}
	}
}

func TestLargestSignupFitsAFrame(t *testing.T) {
	f := serve(t)
	o, r := f.open(ways[0], "/events"), &reader{}
	o.next(t, r, 1)
	path := "/" + strings.Repeat("&", 2047) // what encoders like to make longer
	for _, c := range []string{"🎉", `"`, "\u2028", "<", "\\"} {
		text := "x" + strings.Repeat(c, 118) + "x"
		var body strings.Builder
		enc := json.NewEncoder(&body)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(map[string]string{"user_name": text, "offer_name": text, "place": text, "img_path": path, "url": path}); err != nil {
			t.Fatal(err)
		}
		f.post(body.String())
		e := o.next(t, r, 1)[0]
		var got map[string]string
		if err := json.Unmarshal([]byte(e.data), &got); err != nil {
			t.Fatal(err)
		}
		if len(e.frame) > 8<<10 || got["user_name"] != text || got["url"] != path {
			t.Errorf("of %q: got a frame of %d bytes and %.300q", c, len(e.frame), got)
		}
	}
}

func TestHeartbeatIsOneColonBetweenFrames(t *testing.T) {
	onEach(t, func(t *testing.T, f *harness, w way) {
		o := f.open(w, "/events")
		go f.registry.Heartbeat(t.Context(), 10*time.Millisecond)
		posted := make(chan struct{})
		go func() {
			defer close(posted)
			for i := range 30 {
				f.post(fmt.Sprintf(`{"user_name":"%d"}`, i))
				time.Sleep(5 * time.Millisecond) // for heartbeats in between
			}
		}()
		beats, r := 0, &reader{}
		for signups := 0; signups < 30 || beats < 5; {
			line, err := o.lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line == ":\n" {
				beats++
				if r.frame.Len() > 0 {
					t.Fatalf("a heartbeat within the frame %q", r.frame.String())
				}
				continue
			}
			if e, ok := r.line(line); ok && e.kind == "signup" {
				signups++
			}
		}
		<-posted
	})
}

func TestDrainEndsAStreamWithBusyAndNoFinalChunk(t *testing.T) {
	onEach(t, func(t *testing.T, f *harness, w way) {
		o, r := f.open(w, "/events"), &reader{}
		f.post(`{}`)
		o.next(t, r, 2)
		before := r.lastID
		if err := f.registry.Drain(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
		busy := o.next(t, r, 1)[0]
		if want := regexp.MustCompile(`^event: busy\nretry: \d+\ndata: \{\}\n\n$`); !want.MatchString(busy.frame) {
			t.Errorf("got frame %q", busy.frame)
		}
		if r.retry < 1000 || r.retry > 10_000 || r.lastID != before {
			t.Errorf("got retry %d and last id %q, want 1 s to the grace time and %q", r.retry, r.lastID, before)
		}
		_, err := r.read(o)
		if unfinished := err != nil && err != io.EOF; unfinished != (w.proto != "HTTP/1.0") { // which knows no other end
			t.Errorf("got end %v", err)
		}
		if again := f.open(w, "/events").next(t, r, 1)[0]; again.kind != "busy" {
			t.Errorf("got %q for a stream during a drain, want busy", again.frame)
		}
	})
}

// Every frame on the wire counts, on either way of writing: what opens a stream, and what ends it, too.
func TestEveryFrameIsCounted(t *testing.T) {
	onEach(t, func(t *testing.T, f *harness, w way) {
		frames, bytes := 0, 0
		check := func(events []event) {
			t.Helper()
			for _, e := range events {
				frames, bytes = frames+1, bytes+len(e.frame)
			}
			want := fmt.Sprintf("\nproofstream_frames_sent_total %d\n", frames)
			until(t, strings.TrimSpace(want), func() bool { return strings.Contains(f.metrics(), want) })
			if want := fmt.Sprintf("\nproofstream_bytes_sent_total %d\n", bytes); !strings.Contains(f.metrics(), want) {
				t.Errorf("the metrics lack %s", want)
			}
		}
		o, r := f.open(w, "/events"), &reader{}
		check(o.next(t, r, 1))
		f.post(`{}`)
		f.post(`{}`)
		check(o.next(t, r, 2))
		if err := f.registry.Drain(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
		check(o.next(t, r, 1))
		check(f.open(w, "/events").next(t, &reader{}, 1))
	})
}

// aheadLog has a clock that is ahead of this machine's.
type aheadLog struct{ stream.Log }

func (l aheadLog) Now() time.Time { return l.Log.Now().Add(time.Hour) }

// The log's clock stamps events. Where another one stamped ready, a live event would look older than its stream.
func TestReadyHasTheTimeOfTheLog(t *testing.T) {
	f := serve(t, func(o *setup) { o.wrapLog = func(l stream.Log) stream.Log { return aheadLog{l} } })
	var got struct{ Time time.Time }
	if err := json.Unmarshal([]byte(f.open(ways[0], "/events").next(t, &reader{}, 1)[0].data), &got); err != nil {
		t.Fatal(err)
	}
	if ahead := time.Until(got.Time); ahead < 59*time.Minute || ahead > time.Hour {
		t.Errorf("ready is %v ahead of this machine's clock, want an hour as the log is", ahead)
	}
}

func TestOtherMethodsRegisterNobody(t *testing.T) {
	f := serve(t)
	for _, method := range []string{"HEAD", "OPTIONS", "POST", "PUT", "DELETE"} {
		a := f.ask(method, "/events", "")
		if a.status == 200 && method != "HEAD" || a.status >= 500 || method == "HEAD" && a.body != "" {
			t.Errorf("%s: got %d %q", method, a.status, a.body)
		}
		if a.status == http.StatusMethodNotAllowed && !strings.Contains(a.header.Get("Allow"), "GET") {
			t.Errorf("%s: got Allow %q", method, a.header.Get("Allow"))
		}
		if a.header.Get("Vary") == "" {
			t.Errorf("%s: got no Vary", method)
		}
	}
	if open := f.registry.Open(); open != 0 {
		t.Errorf("got %d subscribers, want none", open)
	}
}
