package sqlitelog

import (
	"strings"
	"syscall"
	"testing"

	"proofstream/stream"
)

// checkReported opens the log of a plan, and checks that it has what its writer has reported.
func checkReported(t *testing.T, p plan, out string) {
	t.Helper()
	l := run(t, p.options())
	reported := 0
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if f[0] != "+" {
			continue
		}
		reported++
		id, err := stream.ParseID(f[2])
		if err != nil {
			t.Fatal(err)
		}
		events, _, err := l.Read(t.Context(), f[1], id.Seq-1, 1)
		if err != nil || len(events) != 1 || events[0].ID != id || textOf(events[0].Data) != f[3] {
			t.Fatalf("%s was acknowledged as %v, is %v, %v", f[3], id, events, err)
		}
	}
	if want := p.Runs * 4 * p.Events; reported < want {
		t.Errorf("writer reported of %d events; want %d", reported, want)
	}
	if n := l.Damage(); n > 0 {
		t.Error("what happened was taken for damage")
	}
}

// TestDirectoriesCannotBeSynced would catch a log that does not start where other databases do, or that logs it more than once.
func TestDirectoriesCannotBeSynced(t *testing.T) {
	p := plan{Dir: t.TempDir(), Runs: 1, Events: 5, Size: 100, Limit: 1e6}
	cmd, stderr := p.writer(t, "-o", "/dev/null", "-P", p.Dir, "-e", "trace=fsync", "-e", "inject=fsync:error=EINVAL")
	out, err := cmd.Output()
	if n := strings.Count(stderr.String(), "cannot sync directories"); err != nil || n != 1 {
		t.Errorf("log on a file system that cannot sync directories said so %d times; want once; %v, %s", n, err, stderr)
	}
	checkReported(t, p, string(out))
}

// TestDiskTurnsReadOnly has writes to the write-ahead log refused for a while.
func TestDiskTurnsReadOnly(t *testing.T) {
	p := plan{Dir: t.TempDir(), Runs: 1, Events: 100, Size: 100, Limit: 1e6}
	cmd, stderr := p.writer(t, "-o", "/dev/null", "-P", p.Dir+"/"+databaseFile+walSuffix, "-e", "trace=pwrite64", "-e", "inject=pwrite64:error=EROFS:when=30..40")
	out, err := cmd.Output()
	refused := 0
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "!") {
			refused++
			if !strings.Contains(line, stream.ErrUnavailable.Error()) {
				t.Errorf("an append was refused with %q", line)
			}
		}
	}
	if refused == 0 || !strings.Contains(string(out), "healthy: "+stream.ErrUnavailable.Error()) {
		t.Errorf("%d appends were refused; want some, and a log that says that it is not healthy; %s", refused, stderr)
	}
	if err != nil || !strings.HasSuffix(string(out), "done\n") || !strings.Contains(stderr.String(), "can be written again") {
		t.Errorf("the log did not heal: %v, %s", err, stderr)
	}
	checkReported(t, p, string(out))
}

// TestReadOnlyFileSystem would catch a start that does not say what to do.
func TestReadOnlyFileSystem(t *testing.T) {
	dir := smallDisk(t, 16<<20)
	l := run(t, Options{Dir: dir})
	id := mustAppend(t, l, "a", "{}", "k")
	l.stop()
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	l = &running{Log: New(Options{Dir: dir})}
	if err := l.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "read-only file system: mount it for writing") {
		t.Errorf("open on a read-only file system: %v; want an error that says what to do", err)
	}
	remount(0)
	runLog(t, l.Log)
	if again, err := l.Find(t.Context(), "a", "k"); err != nil || again != id {
		t.Errorf("open when it can be written: %v, %v; want %v", again, err, id)
	}
}
