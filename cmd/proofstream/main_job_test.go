package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a newcomer does first: the built program, with nothing configured, in an empty directory, and the line that
// it prints pasted into a shell.
func TestNothingConfigured(t *testing.T) {
	dir := t.TempDir()
	binary, err := shippedBinary()
	if err != nil {
		t.Fatal(err)
	}
	said := newJournal()
	cmd := exec.Command(binary)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "PROOF_ADDR=127.0.0.1:0", "PROOF_METRICS_ADDR=off"} // ports may be taken here
	cmd.Stderr = said
	dieWithUs(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, ok := said.await("curl -d", patience)
	if !ok {
		t.Fatalf("no curl line in\n%s", said)
	}
	p := &program{t: t, url: regexp.MustCompile(`http://\S+:\d+`).FindString(line)}
	s := p.follow(t, "")
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl to paste the line to")
	}
	out, err := exec.Command("sh", "-c", line).Output()
	if err != nil || string(out) != "thanks" {
		t.Errorf("pasted %s: got %q, %v", line, out, err)
	}
	got := s.awaitEvents(t, "signup", 1)[0]
	if got.field("user_name") != "Ada" || got.field("offer_name") != "Spring Sale" {
		t.Errorf("got %s", got.data)
	}
	if a := p.get(t, "/"); a.status != 200 || !strings.Contains(a.body, "/assets/proof.js") {
		t.Errorf("the demo page: got %d", a.status)
	}
	if key := regexp.MustCompile(`api_key=(\S+)`).FindStringSubmatch(line)[1]; !strings.Contains(said.String(), p.url+"/#key="+key) {
		t.Errorf("no address of the demo page in\n%s", said)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err != nil {
		t.Error(err)
	}
}

func TestOriginalRequestIsAnsweredUnchanged(t *testing.T) {
	p := start(t)
	s := p.follow(t, "")
	tests := []struct {
		form   url.Values
		status int
		body   string
		event  string // offer, then user
	}{
		{url.Values{"api_key": {p.key}, "img_path": {""}, "offer_name": {"Spring Sale"}, "user_name": {"Ada"}}, 200, "thanks", "Spring Sale, Ada"},
		{url.Values{"api_key": {p.key}, "img_path": {""}, "offer_name": {""}, "user_name": {""}}, 200, "thanks", "one of our partners, someone"},
		{url.Values{"api_key": {"a-key-of-nobody-here"}, "offer_name": {"x"}}, 401, "Bad or missing API key", ""},
		{url.Values{"offer_name": {"x"}}, 401, "Bad or missing API key", ""},
	}
	stored := 0
	for _, test := range tests {
		a := p.ask(t, "POST", "/signup", test.form.Encode(), "Content-Type: application/x-www-form-urlencoded")
		if a.status != test.status || strings.TrimSpace(a.body) != test.body {
			t.Errorf("%v: got %d %q, want %d %q", test.form, a.status, a.body, test.status, test.body)
		}
		if test.event == "" {
			continue
		}
		stored++
		e := s.awaitEvents(t, "signup", stored)[stored-1]
		if got := e.field("offer_name") + ", " + e.field("user_name"); got != test.event {
			t.Errorf("%v: got %q, want %q", test.form, got, test.event)
		}
	}
}

func TestKilledAndRestartedNothingIsMissed(t *testing.T) {
	p := start(t)
	s := p.follow(t, "")
	ready := s.ready(t).id
	ids1 := p.postMany(t, "before", 3)
	s.awaitEvents(t, "signup", 3)
	s.close()
	ids1 = append(ids1, p.postMany(t, "unseen", 4)...)
	p.kill()
	p = p.restart()
	ids1 = append(ids1, p.postMany(t, "after", 3)...)
	for i, from := range append([]string{ready}, ids1[:8]...) {
		again := p.listen(t, "?last_event_id="+from)
		got := again.awaitEvents(t, "signup", 10-i)
		if opening := again.ready(t); !strings.Contains(opening.data, `"replay":"complete"`) {
			t.Errorf("from %s: got %s", from, opening.data)
		}
		if !slices.Equal(ids(got), ids1[i:]) {
			t.Errorf("from %s: got %q, want %q", from, ids(got), ids1[i:])
		}
		again.close()
	}
}

// A cursor from before any of several crashes stays valid, and no event is renumbered.
func TestIDsSurviveManyRestarts(t *testing.T) {
	p := start(t)
	s := p.follow(t, "")
	first := s.ready(t).id
	var want []string
	for round := range 4 {
		want = append(want, p.postMany(t, fmt.Sprintf("round %d ", round), 3)...)
		if round%2 == 0 {
			p.kill()
		} else {
			p.term()
			if status := p.wait(); status != 0 {
				t.Errorf("got status %d", status)
			}
		}
		p = p.restart()
	}
	if got := ids(p.listen(t, "?last_event_id="+first).awaitEvents(t, "signup", len(want))); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := ids(s.awaitEvents(t, "signup", len(want))); !slices.Equal(got, want) {
		t.Errorf("who stayed got %q, want %q", got, want)
	}
}

func TestIdleStreamHearsAHeartbeatEvery15Seconds(t *testing.T) {
	t.Parallel()
	p := start(t)
	s := p.listen(t, "")
	s.ready(t)
	began := time.Now()
	s.await(t, "a heartbeat", func() bool { return len(s.beats) == 1 })
	if took := time.Since(began); took > 17*time.Second {
		t.Errorf("the first heartbeat came after %v", took)
	}
	began = time.Now()
	s.await(t, "a second heartbeat", func() bool { return len(s.beats) == 2 })
	if took := time.Since(began); took < 13*time.Second || took > 17*time.Second {
		t.Errorf("the second heartbeat came after %v", took)
	}
	if got := s.seen(); len(got) != 1 {
		t.Errorf("got events %+v", got)
	}
}
