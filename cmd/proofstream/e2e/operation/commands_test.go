package operation

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/ssetest"
)

// Arguments that run no service print to one of stdout and stderr, and make no data directory.
func TestArgumentsThatRunNoService(t *testing.T) {
	usage := func(text string) bool {
		return strings.Contains(text, "proofstream backup FILE") && strings.Contains(text, "proofstream export [SITE]") &&
			strings.Contains(text, "environment")
	}
	for _, test := range []struct {
		args           string
		status         int
		stdout, stderr func(string) bool // nil: must be empty
	}{
		{"help", 0, usage, nil},
		{"-h", 0, usage, nil},
		{"--help", 0, usage, nil},
		{"version", 0, func(text string) bool {
			return strings.Contains(text, runtime.Version()) && strings.Contains(text, "revision ")
		}, nil},
		{"--version", 0, func(text string) bool { return strings.Contains(text, runtime.Version()) }, nil},
		{"--port=8080", 2, nil, func(text string) bool { return usage(text) && strings.Contains(text, "PROOF_ADDR=:8080") }},
		{"--log-level=debug", 2, nil, func(text string) bool { return usage(text) && strings.Contains(text, "PROOF_LOG_LEVEL") }},
		{"--api-keys=a-secret", 2, nil, func(text string) bool { return usage(text) && !strings.Contains(text, "a-secret") }},
		{"serve", 2, nil, usage},
		{"backup", 2, nil, usage},
		{"backup a b", 2, nil, usage},
		{"export a b", 2, nil, usage},
		{"export", 1, nil, func(text string) bool { return strings.Contains(text, "no event log") }},
		{"backup x", 1, nil, func(text string) bool { return strings.Contains(text, "no event log") }},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		stdout, stderr, status := e2e.RunProgram(t, []string{"PROOF_DATA_DIR=" + dir}, strings.Fields(test.args)...)
		fits := func(text string, want func(string) bool) bool {
			return want == nil && text == "" || want != nil && want(text)
		}
		if status != test.status || !fits(stdout, test.stdout) || !fits(stderr, test.stderr) {
			t.Errorf("%s: got status %d, want %d, stdout %q, stderr %q", test.args, status, test.status, stdout, stderr)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s made a data directory", test.args)
		}
	}
}

// Beside a service under load, export writes the events that the stream sends, and backup copies every event that was acknowledged
// before it started. The service resumes from a restored copy: those events are there, and newer cursors get a gap.
func TestBackupAndExportBesideAService(t *testing.T) {
	e2e.Slow(t)
	p := e2e.Start(t, "PROOF_RETAIN=100000", "PROOF_SHUTDOWN_GRACE=2s", "PROOF_SITES_0_NAME=shop",
		"PROOF_SITES_0_API_KEYS=key-of-the-other-shop", "PROOF_SITES_0_ALLOWED_ORIGINS=*")
	s := p.Follow(t, "")
	kept := p.PostMany(t, `"quoted" <Ada> `, 20)
	erased := p.Post(t, "user_name=erased")
	p.Erase(t, erased)
	l := e2e.StartLoad(t, p.Server, 1, 4, 0)
	l.AwaitMore(100)
	before := l.IDs()
	copied := filepath.Join(t.TempDir(), "backup.db")
	if stdout, stderr, status := p.Command(t, "backup", copied); status != 0 || stdout != "" {
		t.Fatalf("backup: status %d, %s%s", status, stdout, stderr)
	}
	stdout, stderr, status := p.Command(t, "export")
	if status != 0 || stderr != "" {
		t.Fatalf("export: status %d, %s", status, stderr)
	}
	l.AwaitMore(100)
	l.Stop()
	if stdout, stderr, status := p.Command(t, "export", "shop"); status != 0 || stdout+stderr != "" {
		t.Errorf("a site without signups: status %d, %s%s", status, stdout, stderr)
	}
	if stdout, stderr, status := p.Command(t, "export", "nobody"); status != 2 || stdout != "" || !strings.Contains(stderr, `unknown site "nobody"`) {
		t.Errorf("an unknown site: status %d, %s%s", status, stdout, stderr)
	}
	newest := p.Post(t)
	s.Await(t, "the newest", func() bool { return s.LastID == newest })
	checkExport(t, stdout, s.Received(), append(slices.Clone(kept), before...), erased)
	checkNotOverwritten(t, p, copied)

	p.Stop()
	db := filepath.Join(p.Dir, "proofstream.db")
	os.Remove(db + "-wal")
	os.Remove(db + "-shm")
	restore(t, copied, db)
	p = p.Restart()
	stdout, _, _ = p.Command(t, "export")
	checkExport(t, stdout, s.Received(), append(slices.Clone(kept), before...), erased)
	if strings.Contains(stdout, newest) {
		t.Errorf("the backup has %s, which was posted after it", newest)
	}
	if ready := p.Listen(t, "?last_event_id="+newest).Ready(t); !strings.Contains(ready.Data, `"replay":"gap","reason":"epoch"`) {
		t.Errorf("a cursor beyond the backup: got %s, want a gap", ready.Data)
	}
	after := p.Post(t)
	back := p.Listen(t, "?last_event_id="+kept[19])
	got := e2e.IDs(back.AwaitEvents(t, "signup", strings.Count(stdout, "\n")-19))
	if !strings.Contains(back.Ready(t).Data, `"complete"`) || got[len(got)-1] != after {
		t.Errorf("a cursor that the backup has: got %s, then events up to %s, want up to %s", back.Ready(t).Data, got[len(got)-1], after)
	}
}

// checkExport checks that each line of an export is an event of the stream, in order, that the ids atLeast are there, and erased is not.
func checkExport(t *testing.T, lines string, streamed []ssetest.Event, atLeast []string, erased string) {
	t.Helper()
	want := map[string]string{}
	for _, e := range e2e.OfKind(streamed, "signup") {
		want[e.ID] = fmt.Sprintf("{\"id\":%q,%s\n", e.ID, e.Data[1:])
	}
	have, newest := map[string]bool{}, 0
	for line := range strings.Lines(lines) {
		id := ssetest.Field(line, "id")
		if line != want[id] || !json.Valid([]byte(line)) || e2e.Sequence(id) <= newest || id == erased {
			t.Errorf("got %q, want %q, after sequence %d", line, want[id], newest)
		}
		have[id], newest = true, e2e.Sequence(id)
	}
	for _, id := range atLeast {
		if !have[id] {
			t.Errorf("%s is missing among %d", id, len(have))
		}
	}
}

// checkNotOverwritten checks that backup refuses to overwrite a file.
func checkNotOverwritten(t *testing.T, p *e2e.Program, path string) {
	t.Helper()
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, stderr, status := p.Command(t, "backup", path)
	if now, _ := os.ReadFile(path); status != 1 || !strings.Contains(stderr, path) || !slices.Equal(now, was) {
		t.Errorf("an existing file: status %d, %s, and %d bytes where there were %d", status, stderr, len(now), len(was))
	}
}

// restore copies a backup to the path of the log's file.
func restore(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
}

// Posts and erasures succeed while an operator reads the database with the sqlite3 program.
func TestOutsideReaderFailsNoPost(t *testing.T) {
	e2e.Slow(t)
	e2e.Need(t, "sqlite3")
	p := e2e.Start(t, "PROOF_RETAIN=100000")
	l := e2e.StartLoad(t, p.Server, 0, 4, 0)
	for range e2e.Scaled(12, 500) {
		out, err := exec.Command("sqlite3", filepath.Join(p.Dir, "proofstream.db"), "select count(*), max(length(data)) from events").CombinedOutput()
		if err != nil {
			t.Fatalf("sqlite3: %v, %s", err, out)
		}
		erased := p.Post(t, "user_name=erased")
		p.Erase(t, erased)
	}
	l.Stop()
	if l.Tries > 0 || len(l.Acked) == 0 {
		t.Errorf("%d posts were stored, %d had to be retried", len(l.Acked), l.Tries)
	}
}

// A process that waits for the directory exits on SIGTERM with status 0. The first process is not affected.
func TestWaitingForTheDirectoryCanBeEnded(t *testing.T) {
	p := e2e.Start(t)
	second := e2e.Launch(t, "PROOF_DATA_DIR="+p.Dir, "PROOF_SHUTDOWN_GRACE=1h")
	second.AwaitLog("waiting for")
	second.Stop()
	p.Post(t)
}
