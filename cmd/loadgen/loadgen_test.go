package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
