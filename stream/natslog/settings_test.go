package natslog

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
	"proofstream/stream/natslog/natstest"
	"proofstream/stream/waitfor"
)

// TestSettingsStay would catch one node that rewrites a stream for all, that reports its own limits instead of
// the stream's, or an update that makes cursors invalid.
func TestSettingsStay(t *testing.T) {
	c := natstest.Start(t, 1)
	o := Options{URL: c.URL(), Limits: stream.Limits{Events: 10, Age: time.Hour}, Sites: []string{"a", "none"}}
	first := opened(t, o)
	appendN(t, first, 5)
	before, _ := first.Bounds(t.Context(), "a")
	var logged waitfor.Output
	o.Limits.Events, o.Logger = 20, logger(&logged)
	other := opened(t, o)
	b, err := other.Bounds(t.Context(), "a")
	if err != nil || b.Limits.Events != 10 || !strings.Contains(logged.String(), "messages is 10, not 20") {
		t.Errorf("limits %+v, %v; want 10 still; log lines: %s", b.Limits, err, &logged)
	}
	o.Update = true
	updated := opened(t, o)
	b, err = updated.Bounds(t.Context(), "a")
	if err != nil || b.Limits != o.Limits {
		t.Errorf("limits after the update %+v, %v; want %+v", b.Limits, err, o.Limits)
	}
	if reason, _ := b.Check(before.Epochs.Cursor(5)); reason != "" || len(b.Epochs) != len(before.Epochs)+1 {
		t.Errorf("epochs %v after %v, cursor is %q; want one more, and the cursor valid", b.Epochs, before.Epochs, reason)
	}
	if _, err := updated.js.Stream(t.Context(), "proofstream-none"); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("stream of an unused site: %v; want none", err)
	}
}

// TestUpdateBesideOthers would catch an update that opens a new epoch while another node goes on to name events by
// the one before.
func TestUpdateBesideOthers(t *testing.T) {
	c := natstest.Start(t, 1)
	o := Options{URL: c.URL(), Sites: []string{"a"}}
	l := opened(t, o)
	appendN(t, l, 1)
	runPresence(t, NewPresence(l, func() map[string]int { return nil }))
	before, _ := l.Bounds(t.Context(), "a")
	o.Update = true
	if after, err := opened(t, o).Bounds(t.Context(), "a"); err != nil || fmt.Sprint(after.Epochs) != fmt.Sprint(before.Epochs) {
		t.Errorf("epochs %v, %v; want %v", after.Epochs, err, before.Epochs)
	}
}

// TestUnfitStream would catch a log that mixes its events with those of another program.
func TestUnfitStream(t *testing.T) {
	c := natstest.Start(t, 1)
	l := opened(t, Options{URL: c.URL()})
	for name, subject := range map[string]string{"proofstream-a": "proofstream.a.>", "proofstream-b": "other.>"} {
		if _, err := l.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}}); err != nil {
			t.Fatal(err)
		}
		site := strings.TrimPrefix(name, "proofstream-")
		if err := New(Options{URL: c.URL(), Sites: []string{site}}).Open(t.Context()); !errors.Is(err, errUnfit) || !strings.Contains(err.Error(), "PROOF_NATS_STREAM") {
			t.Errorf("open with %s: %v", name, err)
		}
		if _, _, err := l.Append(t.Context(), site, stream.Entry{Data: payload}); !errors.Is(err, errUnfit) {
			t.Errorf("append to %s: %v", name, err)
		}
	}
	l = opened(t, Options{URL: c.URL(), Sites: []string{"a"}, Update: true})
	if seq := mustAppend(t, l, "k"); seq != 1 {
		t.Errorf("append to a stream that was taken over: %d", seq)
	}
}
