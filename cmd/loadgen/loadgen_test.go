package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// measure runs loadgen against url and returns its exit status and report.
func measure(t *testing.T, url string, args ...string) (int, *Report) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	args = append([]string{"-url", url, "-key", "right", "-json", file, "-idle-for", "10ms", "-wait", "5s", "-rate", "100"}, args...)
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

// faultAt changes one event of stream 7.
func faultAt(event int, change func(frame string) string) func(int, int, string) string {
	return func(stream, n int, frame string) string {
		if stream == 7 && n == event {
			return change(frame)
		}
		return frame
	}
}

// TestAuditFindsFaults would catch an audit that misses one wrong delivery to one of 30 subscribers.
func TestAuditFindsFaults(t *testing.T) {
	withhold := func(string) string { return ":\n" }
	end := func(string) string { return "end" }
	twice := func(frame string) string { return frame + frame }
	var third string
	swap := func(stream, event int, frame string) string {
		switch {
		case stream == 7 && event == 3:
			third = frame
			return ":\n"
		case stream == 7 && event == 4:
			return frame + third
		}
		return frame
	}
	cases := []struct {
		name    string
		deliver func(stream, event int, frame string) string
		found   func(audit) bool
	}{
		{"an event withheld", faultAt(3, withhold), func(a audit) bool { return a.Lost == 1 && a.Repeated == 0 }},
		{"the last event withheld", faultAt(10, withhold), func(a audit) bool { return a.Lost == 1 && a.Repeated == 0 }},
		{"an event sent twice", faultAt(3, twice), func(a audit) bool { return a.Lost == 0 && a.Repeated == 1 }},
		{"two events swapped", swap, func(a audit) bool { return a.Disordered == 1 || a.Lost == 1 && a.Repeated == 1 }},
		{"a stream ended", faultAt(3, end), func(a audit) bool { return a.Lost == 0 && a.Repeated == 0 && a.Dropped == 1 }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			url := startFaulty(t, false, c.deliver).URL
			status, r := measure(t, url, "-subscribers", "30", "-events", "10", "-phases", "connect,paced", "-wait", "1s")
			if status != 1 || !c.found(r.Total) {
				t.Errorf("got status %d, audit %+v; want 1 and exactly this fault", status, r.Total)
			}
		})
	}
}

// TestWrongKeyEndsTheRunWithAdvice would catch a run that goes on although no post can succeed.
func TestWrongKeyEndsTheRunWithAdvice(t *testing.T) {
	var stderr strings.Builder
	url := startFaulty(t, false, deliverAll).URL
	status := run(t.Context(), []string{"-url", url, "-key", "wrong", "-subscribers", "3", "-idle-for", "0s", "-phases", "connect,burst", "-quiet"},
		os.Getenv, io.Discard, &stderr)
	if want := "401 Bad or missing API key; pass a key"; status != 1 || !strings.Contains(stderr.String(), want) {
		t.Errorf("status %d, message %q, want 1 and %q", status, stderr.String(), want)
	}
}
