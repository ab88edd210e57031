package wire

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
)

// A stream lives for an hour on every way to it: taken over from net/http, plain and under TLS; HTTP/2; through nginx as it
// is installed and by the README's recipe, with its buffering. An event a minute comes to each, once, there are never more
// than 17 s between two heartbeats, and nobody has to reconnect. The hour is behind PROOF_TEST_LONG=1 (and wants
// -timeout 75m); the ordinary suite takes some seconds, with a short heartbeat, and checks what comes and not when.
func TestStreamLivesForAnHour(t *testing.T) {
	e2e.Slow(t)
	e2e.Need(t, "nginx")
	t.Parallel() // it mostly waits
	events, apart, env := 8, 250*time.Millisecond, []string{"PROOF_HEARTBEAT=100ms"}
	if e2e.Long {
		events, apart, env = 60, time.Minute, nil
	}
	a := e2e.NewAuthority(t, "proof.example.com")
	plain := e2e.Start(t, append(env, "PROOF_TRUSTED_PROXIES=127.0.0.1/32")...)
	secured := e2e.StartSecured(t, a, env...)
	for _, p := range []*e2e.Program{plain, secured} {
		p.Client = a.Client(t)
		p.Client.Transport.(*http.Transport).DisableKeepAlives = true // an idle one may be closed just when it is used
	}
	ways := everyWay(t, plain, secured, a)
	began := time.Now()
	var want []string
	for i := range events {
		time.Sleep(apart) // the time to watch, not one to hope for
		want = append(want, fmt.Sprintf("minute%d", i+1))
		plain.Post(t, "user_name="+want[i])
		secured.Post(t, "user_name="+want[i])
		for _, s := range ways {
			s.AwaitEvents(t, "signup", i+1)
		}
	}
	for name, s := range ways {
		s.Await(t, "heartbeats", func() bool { return len(s.Heartbeats) >= events })
		livedOn(t, s, name, began, want)
	}
}

// everyWay opens a stream on each way to the service, and returns them by name once they have begun.
func everyWay(t *testing.T, plain, secured *e2e.Program, a e2e.Authority) map[string]*e2e.Source {
	t.Helper()
	address := e2e.FreeAddress(t)
	recipe := e2e.StartProxy(t, a, address, e2e.NginxByRecipe(t, plain, a, address))
	http1 := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Pool}}}
	http2 := a.Client(t)
	ways := map[string]*e2e.Source{}
	for _, way := range []struct {
		name, url string
		client    *http.Client
	}{
		{"HTTP/1.1", plain.URL, http1},
		{"HTTP/1.1 with TLS", secured.URL, http1},
		{"HTTP/2", secured.URL, http2},
		{"nginx as it is installed", nginx(t, plain, ""), http1},
		{"HTTP/2 through nginx by the recipe", recipe.URL, recipe.Client},
	} {
		s := e2e.Server{URL: way.url, Client: way.client}.Source("")
		s.Start(t, true)
		s.AwaitEvents(t, "ready", 1)
		if strings.Contains(way.name, "HTTP/2") && s.Proto != 2 {
			t.Errorf("%s: got HTTP/%d", way.name, s.Proto)
		}
		ways[way.name] = s
	}
	return ways
}

// livedOn checks what a stream has brought: still the first connection, each event once, and in the hour no long silence.
func livedOn(t *testing.T, s *e2e.Source, name string, began time.Time, want []string) {
	t.Helper()
	s.Mu.Lock()
	defer s.Mu.Unlock()
	var got []string
	for _, e := range e2e.OfKind(s.Events, "signup") {
		got = append(got, e.Field("user_name"))
	}
	if !slices.Equal(got, want) || s.Conns != 1 || len(s.Ends) != 0 {
		t.Errorf("%s: got %q on %d connections that ended %v, want %q on one", name, got, s.Conns, s.Ends, want)
	}
	silence, since, now := time.Duration(0), began, time.Now()
	for _, at := range append(slices.Clone(s.Heartbeats), now) {
		silence, since = max(silence, at.Sub(since)), at
	}
	t.Logf("%s: alive after %v, %d events, %d heartbeats, at most %v from one to the next", name,
		now.Sub(began).Round(time.Second), len(got), len(s.Heartbeats), silence.Round(time.Millisecond))
	if e2e.Long && silence > 17*time.Second {
		t.Errorf("%s: %v without a heartbeat", name, silence)
	}
}
