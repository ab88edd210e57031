package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startFloor serves the floor for the length of a test.
func startFloor(t *testing.T) string {
	f, bound, err := newFloor("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		f.close()
	})
	return "http://" + bound.String()
}

// measure runs the program and returns its exit status and its report.
func measure(t *testing.T, url string, args ...string) (int, *Report) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	args = append([]string{"-url", url, "-key", "right", "-json", file, "-settle", "10ms", "-wait", "5s", "-rate", "100"}, args...)
	var stderr strings.Builder
	status := run(t.Context(), args, os.Getenv, io.Discard, &stderr)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("no report: %v\n%s", err, stderr.String())
	}
	var r Report
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return status, &r
}

// TestEveryPhaseAgainstTheFloor would catch an audit that finds fault with a faultless server, a
// phase that ends early, and events counted other than once per subscriber.
func TestEveryPhaseAgainstTheFloor(t *testing.T) {
	status, r := measure(t, startFloor(t), "-subscribers", "300", "-events", "10", "-burst", "20", "-posts", "50",
		"-posts-for", "200ms", "-churn", "6000", "-churn-for", "500ms", "-pid", pid())
	if status != 0 || r.Total.flaws() != 0 || r.Problem != "" {
		t.Errorf("status %d, audit %+v, problem %q; want none", status, r.Total, r.Problem)
	}
	want := []struct {
		name             string
		delivered, posts int64
	}{{"connect", 0, 0}, {"paced", 3000, 10}, {"burst", 6000, 20}, {"posts", 15000, 50}, {"resume", 6000, 20}, {"churn", 15000, 50}, {"drop", 0, 0}}
	for i, w := range want {
		p := r.Phases[i]
		if p.Name != w.name || p.Audit.Delivered != w.delivered || int64(p.Posts) != w.posts {
			t.Errorf("phase %d: got %s, %d delivered, %d posts; want %+v", i, p.Name, p.Audit.Delivered, p.Posts, w)
		}
		if p.Server == nil || p.Server.ResidentBytes == 0 || p.Generator == nil {
			t.Errorf("%s: no usage of %v or %v", p.Name, p.Server, p.Generator)
		}
	}
	if churned := r.Phases[5].Reconnects; churned < 30 {
		t.Errorf("churn: %d reconnects in half a second, want some 300 × 6000 %% / 120", churned)
	}
	if alone := r.Phases[7]; alone.Subscribers != 1 || alone.Posts == 0 || alone.Audit.Delivered != int64(alone.Posts) {
		t.Errorf("posts with a witness: %d posts, audit %+v", alone.Posts, alone.Audit)
	}
}

// TestAuditFindsFaults makes a server do wrong to one subscriber of many, once.
func TestAuditFindsFaults(t *testing.T) {
	var kept string
	cases := []struct {
		name    string
		deliver func(stream, event int, frame string) string
		check   func(audit) bool
	}{
		{"an event withheld in the middle", func(stream, event int, frame string) string {
			if stream == 7 && event == 3 {
				return ":\n"
			}
			return frame
		}, func(a audit) bool { return a.Lost == 1 && a.Repeated == 0 }},
		{"the last event withheld", func(stream, event int, frame string) string {
			if stream == 7 && event == 10 {
				return ":\n"
			}
			return frame
		}, func(a audit) bool { return a.Lost == 1 && a.Repeated == 0 }},
		{"an event sent twice", func(stream, event int, frame string) string {
			if stream == 7 && event == 3 {
				return frame + frame
			}
			return frame
		}, func(a audit) bool { return a.Lost == 0 && a.Repeated == 1 }},
		{"two events swapped", func(stream, event int, frame string) string {
			switch {
			case stream == 7 && event == 3:
				kept = frame
				return ":\n"
			case stream == 7 && event == 4:
				return frame + kept
			}
			return frame
		}, func(a audit) bool { return a.Disordered == 1 || a.Lost == 1 && a.Repeated == 1 }},
		{"a stream ended", func(stream, event int, frame string) string {
			if stream == 7 && event == 3 {
				return "end"
			}
			return frame
		}, func(a audit) bool { return a.Lost == 0 && a.Repeated == 0 && a.Dropped == 1 }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			url := startFaulty(t, false, c.deliver).URL
			status, r := measure(t, url, "-subscribers", "30", "-events", "10", "-phases", "connect,paced", "-wait", "1s")
			if status != 1 || !c.check(r.Total) {
				t.Errorf("status %d, audit %+v", status, r.Total)
			}
		})
	}
}

func TestWrongKeyEndsTheRunWithAdvice(t *testing.T) {
	var stderr strings.Builder
	url := startFaulty(t, false, deliverAll).URL
	status := run(t.Context(), []string{"-url", url, "-key", "wrong", "-subscribers", "3", "-settle", "0s", "-phases", "connect,burst", "-quiet"},
		os.Getenv, io.Discard, &stderr)
	if want := "401 Bad or missing API key; pass a key"; status != 1 || !strings.Contains(stderr.String(), want) {
		t.Errorf("status %d, message %q, want 1 and %q", status, stderr.String(), want)
	}
}

// TestInterruptReportsWhatWasDone would catch a run that cannot be stopped, or leaves nothing behind.
func TestInterruptReportsWhatWasDone(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	var stdout strings.Builder
	status := run(ctx, []string{"-url", startFloor(t), "-key", "k", "-subscribers", "50", "-settle", "1ms", "-events", "100", "-quiet",
		"-phases", "connect,paced,burst", "-json", "-"}, os.Getenv, &stdout, io.Discard)
	var r Report
	if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil || status != 1 || len(r.Phases) != 2 {
		t.Errorf("status %d, %d phases, %v; want 1 and two phases", status, len(r.Phases), err)
	}
}
