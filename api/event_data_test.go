package api

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"proofstream/stream"
	"proofstream/stream/natslog"
	"proofstream/stream/natslog/natstest"
)

func TestMain(m *testing.M) {
	status := m.Run()
	natstest.Remove()
	os.Exit(status)
}

// An event has the same data live, replayed and in /recent, on either log, also one that was stored before there were kinds.
func TestEventDataIsTheSameEverywhere(t *testing.T) {
	t.Run("embedded log", func(t *testing.T) { checkEventData(t, serve(t)) })
	t.Run("cluster log", func(t *testing.T) {
		if testing.Short() {
			t.Skip("builds a NATS server")
		}
		cluster := openCluster(t)
		checkEventData(t, serve(t, func(o *setup) { o.wrapLog = func(stream.Log) stream.Log { return cluster } }))
	})
}

func checkEventData(t *testing.T, h *harness) {
	live := h.open(t, "/events")
	start := live.next(t, 1)[0].ID
	const old = `{"img_path":"default","offer_name":"one of our partners","user_name":"Ada"`
	if _, _, err := h.o.Log.Append(t.Context(), "default", stream.Entry{Data: []byte(old + "}")}); err != nil {
		t.Fatal(err)
	}
	h.post(t, `{"user_name":"Ada","kind":"order","place":"London","url":"/sale"}`)
	h.post(t, `{"offer_name":"Spring Sale"}`)
	want := []string{
		old,
		`{"img_path":"default","offer_name":"one of our partners","user_name":"Ada","place":"London","url":"/sale","kind":"order","blank":["offer_name"]`,
		`{"img_path":"default","offer_name":"Spring Sale","user_name":"someone","blank":["user_name"]`,
	}
	sent := live.next(t, len(want))
	replayed := h.open(t, "/events?last_event_id="+start).next(t, 1+len(want))[1:]
	recent := h.request(t, "GET", "/recent", "").body
	for i, data := range want {
		if !strings.HasPrefix(sent[i].Data, data+`,"at":"`) {
			t.Errorf("live: got %s, want %s and the time", sent[i].Data, data)
		}
		if replayed[i].Data != sent[i].Data || replayed[i].ID != sent[i].ID {
			t.Errorf("replayed: got %s, want %s", replayed[i].Data, sent[i].Data)
		}
		if listed := `{"id":"` + sent[i].ID + `",` + sent[i].Data[1:]; !strings.Contains(recent, listed) {
			t.Errorf("recent: got %s, want %s", recent, listed)
		}
	}
}

// openCluster returns a log on a NATS server of its own, which runs until the test ends.
func openCluster(t *testing.T) *natslog.Log {
	t.Helper()
	server := natstest.Start(t, 1)
	log := natslog.New(natslog.Options{URL: server.URL(), Logger: slog.New(slog.DiscardHandler)})
	if err := log.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { log.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		log.Close()
	})
	return log
}
