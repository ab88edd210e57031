package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A stream lives for an hour on every way to it: taken over from net/http, plain and under TLS; HTTP/2; through nginx as it
// is installed and by the README's recipe, with its buffering. An event a minute comes to each, once, there are never more
// than 17 s between two heartbeats, and nobody has to reconnect. The hour is behind PROOF_TEST_LONG=1 (and wants
// -timeout 75m); the ordinary suite takes some seconds, with a short heartbeat, and checks what comes and not when.
func TestStreamLivesForAnHour(t *testing.T) {
	slow(t)
	need(t, "nginx")
	t.Parallel() // it mostly waits
	events, apart, env := 8, 250*time.Millisecond, []string{"PROOF_HEARTBEAT=100ms"}
	if long {
		events, apart, env = 60, time.Minute, nil
	}
	a := newAuthority(t, "proof.example.com")
	plain := start(t, append(env, "PROOF_TRUSTED_PROXIES=127.0.0.1/32")...)
	secured := startSecured(t, a, env...)
	for _, p := range []*program{plain, secured} {
		p.client = a.client(t)
		p.client.Transport.(*http.Transport).DisableKeepAlives = true // an idle one may be closed just when it is used
	}
	ways := everyWay(t, plain, secured, a)
	began := time.Now()
	var want []string
	for i := range events {
		time.Sleep(apart) // the time to watch, not one to hope for
		want = append(want, fmt.Sprintf("minute%d", i+1))
		plain.post(t, "user_name="+want[i])
		secured.post(t, "user_name="+want[i])
		for _, s := range ways {
			s.awaitEvents(t, "signup", i+1)
		}
	}
	for name, s := range ways {
		s.await(t, "heartbeats", func() bool { return len(s.heartbeats) >= events })
		s.livedOn(t, name, began, want)
	}
}

// everyWay opens a stream on each way to the service, and returns them by name once they have begun.
func everyWay(t *testing.T, plain, secured *program, a authority) map[string]*source {
	t.Helper()
	address := freeAddress(t)
	recipe := startProxy(t, a, address, nginxByRecipe(t, plain, a, address))
	http1 := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool}}}
	http2 := a.client(t)
	ways := map[string]*source{}
	for _, way := range []struct {
		name, url string
		client    *http.Client
	}{
		{"HTTP/1.1", plain.url, http1},
		{"HTTP/1.1 with TLS", secured.url, http1},
		{"HTTP/2", secured.url, http2},
		{"nginx as it is installed", nginx(t, plain, ""), http1},
		{"HTTP/2 through nginx by the recipe", recipe.url, recipe.client},
	} {
		s := server{url: way.url, client: way.client}.source("")
		s.start(t, true)
		s.awaitEvents(t, "ready", 1)
		if strings.Contains(way.name, "HTTP/2") && s.proto != 2 {
			t.Errorf("%s: got HTTP/%d", way.name, s.proto)
		}
		ways[way.name] = s
	}
	return ways
}

// livedOn checks what a stream has brought: still the first connection, each event once, and in the hour no long silence.
func (s *source) livedOn(t *testing.T, name string, began time.Time, want []string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []string
	for _, e := range ofKind(s.events, "signup") {
		got = append(got, e.field("user_name"))
	}
	if !slices.Equal(got, want) || s.conns != 1 || len(s.ends) != 0 {
		t.Errorf("%s: got %q on %d connections that ended %v, want %q on one", name, got, s.conns, s.ends, want)
	}
	silence, since, now := time.Duration(0), began, time.Now()
	for _, at := range append(slices.Clone(s.heartbeats), now) {
		silence, since = max(silence, at.Sub(since)), at
	}
	t.Logf("%s: alive after %v, %d events, %d heartbeats, at most %v from one to the next", name,
		now.Sub(began).Round(time.Second), len(got), len(s.heartbeats), silence.Round(time.Millisecond))
	if long && silence > 17*time.Second {
		t.Errorf("%s: %v without a heartbeat", name, silence)
	}
}
