package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
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

// TestNoSubscriberEndsTheRunWithAdvice would catch a run that posts thousands of events that nobody can receive.
func TestNoSubscriberEndsTheRunWithAdvice(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	var stderr strings.Builder
	status := run(t.Context(), []string{"-url", server.URL, "-key", "right", "-subscribers", "3", "-wait", "20ms", "-phases", "connect,burst"},
		os.Getenv, io.Discard, &stderr)
	for _, want := range []string{"phase connect: no subscriber connected within 20ms", "404: the site does not exist"} {
		if status != 1 || !strings.Contains(stderr.String(), want) {
			t.Errorf("status %d, message %q, want 1 and %q", status, stderr.String(), want)
		}
	}
	if strings.Contains(stderr.String(), "2/2 burst") {
		t.Errorf("the run went on:\n%s", stderr.String())
	}
}

// TestInterruptLeavesATrueReport would catch an interrupt that loses the report, or that is taken for lost events.
func TestInterruptLeavesATrueReport(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	url := startFaulty(t, false, func(_, event int, frame string) string {
		if event == 5 {
			interrupt()
			return ":\n" // the event is still on its way
		}
		return frame
	}).URL
	var stdout, stderr strings.Builder
	status := run(ctx, []string{"-url", url, "-key", "right", "-subscribers", "3", "-idle-for", "0s", "-phases", "connect,burst,posts"},
		os.Getenv, &stdout, &stderr)
	if status != 1 || !strings.Contains(stderr.String(), errInterrupted.Error()) {
		t.Errorf("status %d, message %q, want 1 and %q", status, stderr.String(), errInterrupted)
	}
	if !strings.Contains(stdout.String(), "burst") || strings.Contains(stdout.String(), "posts  3") || !strings.Contains(stderr.String(), " 0 violations\nloadgen:") {
		t.Errorf("got\n%s\n%s\nwant a report up to the phase burst, without violations", stdout.String(), stderr.String())
	}
}

// TestUnwritableFileDoesNotHideTheTable would catch minutes of measurements that are lost with a file.
func TestUnwritableFileDoesNotHideTheTable(t *testing.T) {
	var stdout strings.Builder
	o := &options{json: filepath.Join(t.TempDir(), "missing", "report.json"), svg: filepath.Join(t.TempDir(), "run.svg")}
	err := reportOf(measured("paced", 2, 3, 4)).write(o, &stdout)
	if err == nil || !strings.Contains(err.Error(), "write the report: open ") || !strings.Contains(stdout.String(), "paced") {
		t.Errorf("error %v, output\n%s\nwant an error and the table", err, stdout.String())
	}
	if _, err := os.Stat(o.svg); err != nil {
		t.Errorf("the picture is missing: %v", err)
	}
}

// TestCheckLeavesFilesAsTheyAre would catch a check that empties the previous report or leaves an empty one.
func TestCheckLeavesFilesAsTheyAre(t *testing.T) {
	folder := t.TempDir()
	old, missing := filepath.Join(folder, "old"), filepath.Join(folder, "missing")
	if err := os.WriteFile(old, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{old, missing} {
		if err := checkWritable("json", file); err != nil {
			t.Errorf("%s: %v, want no error", file, err)
		}
	}
	if b, err := os.ReadFile(old); string(b) != "kept" {
		t.Errorf("the old file has %q (%v), want what it had", b, err)
	}
	if _, err := os.Stat(missing); !os.IsNotExist(err) {
		t.Errorf("the missing file: %v, want that it is missing still", err)
	}
}
