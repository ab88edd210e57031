package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// startFloor serves a floor until the test ends and returns its URL.
func startFloor(t *testing.T) string {
	s, err := newFloor("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.close()
	})
	return "http://" + s.listener.Addr().String()
}

// TestEveryPhaseAgainstFloor would catch an audit that reports violations of a correct server, a
// phase that ends early, and a delivery that is not counted exactly once.
func TestEveryPhaseAgainstFloor(t *testing.T) {
	status, r := measure(t, startFloor(t), "-subscribers", "300", "-events", "10", "-burst", "20", "-posts", "50",
		"-posts-for", "200ms", "-churn", "6000", "-churn-for", "500ms", "-pid", pid())
	if status != 0 || r.Total.violations() != 0 || r.Problem != "" {
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
			t.Errorf("%s: got usage %v of the server and %v of the generator; want both", p.Name, p.Server, p.Generator)
		}
	}
	if churned := r.Phases[5].Reconnects; churned < 30 {
		t.Errorf("churn: %d reconnects in half a second, want some 300 × 6000 %% / 120", churned)
	}
	if p := r.Phases[7]; p.Subscribers != 1 || p.Posts == 0 || p.Audit.Delivered != int64(p.Posts) {
		t.Errorf("posts with one subscriber: got %d posts, audit %+v; want each delivered once", p.Posts, p.Audit)
	}
}

// TestInterruptedRunWritesReport would catch a run that an interrupt does not stop, or that loses its report.
func TestInterruptedRunWritesReport(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	url := startFaulty(t, false, func(_, event int, frame string) string {
		if event == 3 {
			stop() // in the second of three phases
		}
		return frame
	}).URL
	var stdout strings.Builder
	status := run(ctx, []string{"-url", url, "-key", "right", "-subscribers", "50", "-idle-for", "1ms", "-events", "100", "-quiet",
		"-phases", "connect,paced,burst", "-json", "-"}, os.Getenv, &stdout, io.Discard)
	var r Report
	if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil || status != 1 || len(r.Phases) != 2 {
		t.Errorf("status %d, %d phases, %v; want 1 and two phases", status, len(r.Phases), err)
	}
}

// TestReportNames would catch a renamed JSON member, with which later versions could not compare reports.
func TestReportNames(t *testing.T) {
	var stdout strings.Builder
	run(t.Context(), []string{"-url", startFloor(t), "-key", "k", "-subscribers", "5", "-idle-for", "50ms", "-events", "2", "-quiet",
		"-phases", "connect,paced", "-pid", pid(), "-json", "-"}, os.Getenv, &stdout, io.Discard)
	var r struct {
		Tool   string
		Phases []map[string]any
		Audit  map[string]int
	}
	if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil || r.Tool != "loadgen" || len(r.Phases) != 2 {
		t.Fatalf("%v in %s", err, stdout.String())
	}
	for _, name := range []string{"name", "subscribers", "seconds", "posts", "deliveries_per_second", "latency_ms", "response_ms", "server", "generator", "audit"} {
		if r.Phases[1][name] == nil {
			t.Errorf("the paced phase has no %q", name)
		}
	}
	latency, _ := r.Phases[1]["latency_ms"].(map[string]any)
	for _, name := range []string{"p50", "p90", "p99", "p999", "max"} {
		if _, ok := latency[name].(float64); !ok {
			t.Errorf("latency has no %q: %v", name, latency)
		}
	}
	if _, ok := r.Audit["lost"]; !ok || slices.Max([]int{r.Audit["lost"], r.Audit["repeated"]}) > 0 {
		t.Errorf("audit %v", r.Audit)
	}
}
