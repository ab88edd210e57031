package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/ssetest"
)

// A cluster takes over the embedded log of each site, with ids, times, cursors and idempotency keys, also that of an erased event. The
// embedded log is not changed, and a second start copies nothing again.
func TestClusterTakesAnEmbeddedLogOver(t *testing.T) {
	e2e.Slow(t)
	t.Parallel()
	shop := []string{"PROOF_SITES_0_NAME=shop", "PROOF_SITES_0_API_KEYS=key-of-the-other-shop", "PROOF_SITES_0_ALLOWED_ORIGINS=*"}
	one := e2e.Start(t, append(shop, "PROOF_RETAIN=25")...)
	stream := one.Follow(t, "")
	old := one.PostMany(t, "old", 30) // retention removes some of them
	keyed, err := one.TryPost("a key", "user_name=keyed")
	if err != nil {
		t.Fatal(err)
	}
	erased, err := one.TryPost("a key of an erased event", "user_name=erased")
	if err != nil {
		t.Fatal(err)
	}
	one.Erase(t, erased)
	other, _, err := e2e.Server{URL: one.URL, Key: "key-of-the-other-shop"}.PostKeyed("", "user_name=shopper")
	if err != nil {
		t.Fatal(err)
	}
	stream.Await(t, "everything", func() bool { return len(e2e.OfKind(stream.Events, "retract")) == 1 })
	exported, _, _ := one.Command(t, "export")
	one.Stop()

	c := e2e.StartNATS(t, 1)
	two := c.Node(append(shop, "PROOF_RETAIN=1000", "PROOF_DATA_DIR="+one.Dir)...)
	two.AwaitLog("site=shop")
	three := c.Node(append(shop, "PROOF_RETAIN=1000")...)
	for _, p := range []*e2e.Program{two, three} {
		if got, stderr, _ := p.Command(t, "export"); got != exported || got == "" {
			t.Errorf("export: got\n%s%s, before it was\n%s", got, stderr, exported)
		}
		if got, _, _ := p.Command(t, "export", "shop"); ssetest.Field(got, "id") != other {
			t.Errorf("export of the other site: got %s, want %s", got, other)
		}
		for key, id := range map[string]string{"a key": keyed, "a key of an erased event": erased} {
			if again, duplicate, err := p.PostKeyed(key, "user_name=again"); again != id || !duplicate || err != nil {
				t.Errorf("a retry with %s: got %s, duplicate %v, %v; want %s", key, again, duplicate, err, id)
			}
		}
		checkResumes(t, p, stream.Received(), old, erased)
	}
	if id := three.Post(t); e2e.Sequence(id) != e2e.Sequence(erased)+2 {
		t.Errorf("a new event is %s, want the second sequence after %s, which is followed by its retraction", id, erased)
	}
	two.Stop()
	two.Restart()
	if n := c.Stored(); n != 25 { // the kept events without the erased one, and the new one
		t.Errorf("%d events in the stream, want 25", n)
	}
	if again, stderr, status := one.Command(t, "export"); again != exported {
		t.Errorf("the embedded log has changed: status %d, %s\n%s", status, stderr, again)
	}
}

// lines returns kind, id and data of each event.
func lines(events []ssetest.Event) (lines []string) {
	for _, e := range events {
		lines = append(lines, e.Kind+" "+e.ID+" "+e.Data)
	}
	return lines
}

// checkResumes checks that each cursor of the embedded log resumes in the cluster with exactly the events, byte for byte, that the
// embedded log would have sent.
func checkResumes(t *testing.T, p *e2e.Program, streamed []ssetest.Event, old []string, erased string) {
	t.Helper()
	streamed = slices.DeleteFunc(slices.Clone(streamed), func(e ssetest.Event) bool {
		return e.Kind != "signup" && e.Kind != "retract" || e.ID == erased
	})
	oldest := len(streamed) - 24 // 25 events are kept, one of them is erased
	for i, from := range old {
		want, replay := streamed[max(i+1, oldest):], `"complete"`
		if i+1 < oldest {
			replay = `"expired"`
		}
		s := p.Listen(t, "?last_event_id="+from)
		s.Await(t, fmt.Sprint(len(want), " events"), func() bool { return len(s.Events) > len(want) })
		if !strings.Contains(s.Ready(t).Data, replay) {
			t.Errorf("from %s: %s, want %s", from, s.Ready(t).Data, replay)
		}
		if d := e2e.Difference(lines(s.Received()[1:]), lines(want)); d != "" {
			t.Errorf("from %s: %s", from, d)
		}
		s.Close()
	}
}

// An embedded log that a service still uses is not copied: what that service stores afterwards would be lost.
func TestClusterWaitsForTheEmbeddedService(t *testing.T) {
	e2e.Slow(t)
	t.Parallel()
	one := e2e.Start(t)
	one.Post(t)
	c := e2e.StartNATS(t, 1)
	two := e2e.Launch(t, c.Env("PROOF_DATA_DIR="+one.Dir, "PROOF_SHUTDOWN_GRACE=300ms")...)
	if status := two.Wait(); status != 1 || !strings.Contains(two.Stderr.String(), "waiting for") || !strings.Contains(two.Stderr.String(), "PROOF_DATA_DIR") {
		t.Errorf("got status %d:\n%s", status, two.Stderr)
	}
	if names := c.Streams(); len(names) != 0 {
		t.Errorf("it made %q", names)
	}
}

// An export creates no stream: an empty stream would prevent the copy of the embedded log.
func TestClusterExportMakesNothing(t *testing.T) {
	t.Parallel()
	c := e2e.StartNATS(t, 1)
	env := c.Env("PROOF_API_KEYS=" + e2e.TestKey)
	if stdout, stderr, status := e2e.RunProgram(t, env, "export"); status != 0 || stdout != "" {
		t.Errorf("a site without a stream: status %d, %s%s", status, stdout, stderr)
	}
	if stdout, stderr, status := e2e.RunProgram(t, env, "export", "nobody"); status != 2 || stdout != "" || !strings.Contains(stderr, "unknown site") {
		t.Errorf("an unknown site: status %d, %s%s", status, stdout, stderr)
	}
	if _, stderr, status := e2e.RunProgram(t, env, "backup", t.TempDir()+"/x"); status != 2 || !strings.Contains(stderr, "PROOF_NATS_URL") {
		t.Errorf("a backup of a cluster: status %d, %s", status, stderr)
	}
	if names := c.Streams(); len(names) != 0 {
		t.Errorf("it made %q", names)
	}
}
