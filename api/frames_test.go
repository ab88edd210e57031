package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/ssetest"
)

// Heartbeats and signups are sent at the same time, and no heartbeat comes within a frame.
func TestHeartbeatIsOneColonBetweenFrames(t *testing.T) {
	const signups = 30
	onEach(t, func(t *testing.T, h *harness, w way) {
		c := h.openBy(t, w, "/events")
		go h.o.Registry.Heartbeat(t.Context(), time.Millisecond)
		var posting sync.WaitGroup
		posting.Go(func() { h.postSome(t, signups) })
		seen := map[string]int{}
		for seen["signup"] < signups || seen[ssetest.Heartbeat] < 5 {
			e, err := c.Next()
			if err != nil {
				t.Fatal(err)
			}
			seen[e.Kind]++
			if e.Kind == ssetest.Heartbeat && c.InFrame {
				t.Fatal("got a heartbeat within a frame")
			}
		}
		posting.Wait()
	})
}

// Every frame that is written counts, also what opens a stream and what ends it.
func TestEveryFrameIsCounted(t *testing.T) {
	onEach(t, func(t *testing.T, h *harness, w way) {
		frames, bytes := 0, 0
		check := func(events []ssetest.Event) {
			t.Helper()
			for _, e := range events {
				frames, bytes = frames+1, bytes+len(e.Frame)
			}
			h.awaitMetric(t, fmt.Sprint("proofstream_frames_sent_total ", frames))
			h.awaitMetric(t, fmt.Sprint("proofstream_bytes_sent_total ", bytes))
		}
		c := h.openBy(t, w, "/events")
		check(c.next(t, 1))
		h.post(t, `{}`)
		h.post(t, `{}`)
		check(c.next(t, 2))
		h.drain(t)
		check(c.next(t, 1))
		check(h.openBy(t, w, "/events").next(t, 1))
	})
}

// aheadLog has a clock that is ahead of this machine's.
type aheadLog struct{ stream.Log }

func (l aheadLog) Now() time.Time { return l.Log.Now().Add(time.Hour) }

// The log's clock stamps events. Where another one stamped ready, a live event would be older than its stream.
func TestReadyHasTheTimeOfTheLog(t *testing.T) {
	h := serve(t, func(o *setup) { o.wrapLog = func(l stream.Log) stream.Log { return aheadLog{l} } })
	var got struct{ Time time.Time }
	if err := json.Unmarshal([]byte(h.open(t, "/events").next(t, 1)[0].Data), &got); err != nil {
		t.Fatal(err)
	}
	if ahead := time.Until(got.Time); ahead < 59*time.Minute || ahead > time.Hour {
		t.Errorf("ready is %v ahead of this machine's clock, want an hour as the log is", ahead)
	}
}

func TestOtherMethodsRegisterNobody(t *testing.T) {
	h := serve(t)
	for _, method := range []string{"HEAD", "OPTIONS", "POST", "PUT", "DELETE"} {
		resp := h.request(t, method, "/events", "")
		if resp.status == 200 && method != "HEAD" || resp.status >= 500 || method == "HEAD" && resp.body != "" {
			t.Errorf("%s: got %d %q", method, resp.status, resp.body)
		}
		if resp.status == http.StatusMethodNotAllowed && !strings.Contains(resp.header.Get("Allow"), "GET") {
			t.Errorf("%s: got Allow %q", method, resp.header.Get("Allow"))
		}
		if resp.header.Get("Vary") == "" {
			t.Errorf("%s: got no Vary", method)
		}
	}
	if open := h.o.Registry.Open(); open != 0 {
		t.Errorf("got %d subscribers, want none", open)
	}
}
