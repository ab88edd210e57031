package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// A service that outgrows its machine: the log of each site goes with it to the cluster, with ids, times, cursors and
// keys, also those of an erased event. The embedded log stays as it is, and a second start copies nothing twice.
func TestClusterTakesAnEmbeddedLogOver(t *testing.T) {
	slow(t)
	t.Parallel()
	shop := []string{"PROOF_SITES_0_NAME=shop", "PROOF_SITES_0_API_KEYS=key-of-the-other-shop", "PROOF_SITES_0_ALLOWED_ORIGINS=*"}
	one := start(t, append(shop, "PROOF_RETAIN=25")...)
	stream := one.follow(t, "")
	old := one.postMany(t, "old", 30) // of which retention removes some
	keyed, err := one.tryPost("a key", "user_name=keyed")
	if err != nil {
		t.Fatal(err)
	}
	erased, err := one.tryPost("a key of an erased event", "user_name=erased")
	if err != nil {
		t.Fatal(err)
	}
	one.erase(t, erased)
	other, _, err := server{url: one.url, key: "key-of-the-other-shop"}.postKeyed("", "user_name=shopper")
	if err != nil {
		t.Fatal(err)
	}
	stream.await(t, "everything", func() bool { return len(ofKind(stream.events, "retract")) == 1 })
	exported, _, _ := one.command(t, "export")
	one.stop()

	c := startNATS(t, 1)
	two := c.node(append(shop, "PROOF_RETAIN=1000", "PROOF_DATA_DIR="+one.dir)...)
	two.awaitLog("site=shop")
	three := c.node(append(shop, "PROOF_RETAIN=1000")...)
	for _, p := range []*program{two, three} {
		if got, stderr, _ := p.command(t, "export"); got != exported || got == "" {
			t.Errorf("export: got\n%s%s, before it was\n%s", got, stderr, exported)
		}
		if got, _, _ := p.command(t, "export", "shop"); jsonField(got, "id") != other {
			t.Errorf("export of the other site: got %s, want %s", got, other)
		}
		for key, id := range map[string]string{"a key": keyed, "a key of an erased event": erased} {
			if again, duplicate, err := p.postKeyed(key, "user_name=again"); again != id || !duplicate || err != nil {
				t.Errorf("a retry with %s was answered %s, duplicate %v, %v; want %s", key, again, duplicate, err, id)
			}
		}
		checkResumes(t, p, stream.received(), old, erased)
	}
	if id := three.post(t); sequence(id) != sequence(erased)+2 {
		t.Errorf("a new event is %s, not just after %s and its retraction", id, erased)
	}
	two.stop()
	two.restart()
	if n := c.stored(); n != 25 { // what was kept, less the erased event, and the new one
		t.Errorf("%d events in the stream, want 25", n)
	}
	if again, stderr, status := one.command(t, "export"); again != exported {
		t.Errorf("the embedded log has changed: status %d, %s\n%s", status, stderr, again)
	}
}

// lines returns all of each event that a page gets.
func lines(events []event) (lines []string) {
	for _, e := range events {
		lines = append(lines, e.kind+" "+e.id+" "+e.data)
	}
	return lines
}

// checkResumes checks that each cursor of an embedded log goes on in the cluster as it would have there: the stream from
// then on, with everything in its old bytes.
func checkResumes(t *testing.T, p *program, streamed []event, old []string, erased string) {
	t.Helper()
	streamed = slices.DeleteFunc(slices.Clone(streamed), func(e event) bool {
		return e.kind != "signup" && e.kind != "retract" || e.id == erased
	})
	oldest := len(streamed) - 24 // events kept: 25, less the erased one
	for i, from := range old {
		want, replay := streamed[max(i+1, oldest):], `"complete"`
		if i+1 < oldest {
			replay = `"expired"`
		}
		s := p.listen(t, "?last_event_id="+from)
		s.await(t, fmt.Sprint(len(want), " events"), func() bool { return len(s.events) > len(want) })
		if !strings.Contains(s.ready(t).data, replay) {
			t.Errorf("from %s: %s, want %s", from, s.ready(t).data, replay)
		}
		if d := difference(lines(s.received()[1:]), lines(want)); d != "" {
			t.Errorf("from %s: %s", from, d)
		}
		s.close()
	}
}

// A log that a service still runs on is not copied: what it stores meanwhile would be lost.
func TestClusterWaitsForTheEmbeddedService(t *testing.T) {
	slow(t)
	t.Parallel()
	one := start(t)
	one.post(t)
	c := startNATS(t, 1)
	two := launch(t, c.env("PROOF_DATA_DIR="+one.dir, "PROOF_SHUTDOWN_GRACE=300ms")...)
	if status := two.wait(); status != 1 || !strings.Contains(two.stderr.String(), "waiting for") || !strings.Contains(two.stderr.String(), "PROOF_DATA_DIR") {
		t.Errorf("got status %d:\n%s", status, two.stderr)
	}
	if names := c.streams(); len(names) != 0 {
		t.Errorf("it has made %q", names)
	}
}

// An export reads what the cluster has, and makes no stream: an empty one would keep the embedded log from being copied.
func TestClusterExportMakesNothing(t *testing.T) {
	t.Parallel()
	c := startNATS(t, 1)
	p := &program{env: append(c.env("PROOF_API_KEYS="+testKey), beTheProgram+"=1")}
	if stdout, stderr, status := p.command(t, "export"); status != 0 || stdout != "" {
		t.Errorf("a site without a stream: status %d, %s%s", status, stdout, stderr)
	}
	if stdout, stderr, status := p.command(t, "export", "nobody"); status != 2 || stdout != "" || !strings.Contains(stderr, "unknown site") {
		t.Errorf("an unknown site: status %d, %s%s", status, stdout, stderr)
	}
	if _, stderr, status := p.command(t, "backup", t.TempDir()+"/x"); status != 2 || !strings.Contains(stderr, "PROOF_NATS_URL") {
		t.Errorf("a backup of a cluster: status %d, %s", status, stderr)
	}
	if names := c.streams(); len(names) != 0 {
		t.Errorf("it has made %q", names)
	}
}

// streams returns the names of all streams of the cluster.
func (c *natsCluster) streams() []string {
	c.t.Helper()
	return ask(c, "list the streams", func(ctx context.Context, js jetstream.JetStream) (names []string, err error) {
		list := js.StreamNames(ctx)
		for name := range list.Name() {
			names = append(names, name)
		}
		return names, list.Err()
	})
}
