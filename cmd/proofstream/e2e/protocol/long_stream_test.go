package protocol

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

// A stream stays open for an hour on every way to the program: HTTP/1.1 with and without TLS, HTTP/2, nginx with its defaults, and
// nginx by the README's recipe. An event a minute arrives on each, once, heartbeats are at most 17 s apart, and no stream reconnects.
// The hour needs PROOF_TEST_LONG=1 and -timeout 75m. The ordinary suite takes seconds, with a short heartbeat, and does not check
// the time between heartbeats.
func TestStreamLivesForAnHour(t *testing.T) {
	e2e.Slow(t)
	e2e.Need(t, "nginx")
	t.Parallel() // most of the time it waits
	events, apart, env := 8, 250*time.Millisecond, []string{"PROOF_HEARTBEAT=100ms"}
	if e2e.Long {
		events, apart, env = 60, time.Minute, nil
	}
	a := e2e.NewAuthority(t, "proof.example.com")
	plain := e2e.Start(t, append(env, "PROOF_TRUSTED_PROXIES=127.0.0.1/32")...)
	secured := e2e.StartSecured(t, a, env...)
	for _, p := range []*e2e.Program{plain, secured} {
		p.Client = a.Client(t)
		p.Client.Transport.(*http.Transport).DisableKeepAlives = true // the server may close an idle connection just when it is used
	}
	ways := everyWay(t, plain, secured, a)
	began := time.Now()
	var want []string
	for i := range events {
		time.Sleep(apart) // the test is about this time
		want = append(want, fmt.Sprintf("minute%d", i+1))
		plain.Post(t, "user_name="+want[i])
		secured.Post(t, "user_name="+want[i])
		for _, s := range ways {
			s.AwaitEvents(t, "signup", i+1)
		}
	}
	for name, s := range ways {
		s.Await(t, "heartbeats", func() bool { return len(s.Heartbeats) >= events })
		checkStayedOpen(t, s, name, began, want)
	}
}

// everyWay opens a stream on each way to the programs, and returns the streams by name after their ready events.
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

// checkStayedOpen checks that a stream is still on its first connection and has received each event once, and, in the hour, the time
// between heartbeats.
func checkStayedOpen(t *testing.T, s *e2e.Source, name string, began time.Time, want []string) {
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
	t.Logf("%s: open after %v, %d events, %d heartbeats, at most %v from one to the next", name,
		now.Sub(began).Round(time.Second), len(got), len(s.Heartbeats), silence.Round(time.Millisecond))
	if e2e.Long && silence > 17*time.Second {
		t.Errorf("%s: %v without a heartbeat", name, silence)
	}
}
