package sqlitelog

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tracedCalls change files, or may report that they were changed.
const tracedCalls = "trace=open,openat,creat,close,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,lseek,dup,dup2,dup3," +
	"rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlinkat,fsync,fdatasync,sync_file_range,copy_file_range,sendfile,splice"

// call is one end of a system call; calls that nothing came between are one of both.
type call struct {
	thread     string
	name, args string // args as strace shows them, of the whole call
	begins     bool
	ends       bool
	result     int  // -1 when it failed, or when unknown
	unknown    bool // the process was killed during the call, which may have had its effect
}

// writer prepares a writing process. Its end of the input ends it.
func (p plan) writer(t *testing.T, strace ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is not installed; install it")
		}
		t.Skip("strace is not installed")
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command("strace", append(append([]string{"-f"}, strace...), os.Args[0])...)
	cmd.Env = append(os.Environ(), writerPlan+"="+string(text))
	stderr = new(bytes.Buffer)
	cmd.Stderr = stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(time.Minute, func() { in.Close() })
	t.Cleanup(func() { stop.Stop() })
	return cmd, stderr
}

// trace runs a writer under strace, and returns all of its calls. More arguments are for strace.
func trace(t *testing.T, p plan, more ...string) []call {
	t.Helper()
	file := filepath.Join(t.TempDir(), "trace")
	// --seccomp-bpf stops the writer at these calls alone.
	cmd, stderr := p.writer(t, append([]string{"--seccomp-bpf", "-xx", "-s", "8000000", "-o", file, "-e", tracedCalls}, more...)...)
	out, _ := cmd.Output()
	if !bytes.Contains(out, []byte("+")) {
		if strings.Contains(strings.ToLower(stderr.String()), "ptrace") {
			t.Skipf("tracing is not permitted here: %s", stderr)
		}
		t.Fatalf("the writer printed %q; %s", out, stderr)
	}
	if done := bytes.HasSuffix(out, []byte("done\n")); done == p.Die {
		t.Fatalf("the writer came to its end: %v; want %v; %s", done, !p.Die, stderr)
	}
	return readCalls(t, file)
}

func readCalls(t *testing.T, path string) (calls []call) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unfinished := map[string]call{} // by thread
	s := bufio.NewScanner(f)
	for s.Buffer(nil, 64<<20); s.Scan(); {
		thread, rest, _ := strings.Cut(s.Text(), " ")
		rest = strings.TrimLeft(rest, " ")
		c := call{thread: thread, result: -1}
		if strings.HasPrefix(rest, "<... ") {
			begun := unfinished[thread]
			c.name, c.args, c.ends = begun.name, begun.args, true
			delete(unfinished, thread)
		} else {
			c.begins, c.ends = true, !strings.HasSuffix(rest, "<unfinished ...>")
			var found bool
			if c.name, c.args, found = strings.Cut(rest, "("); !found || strings.HasPrefix(rest, "---") {
				continue
			}
		}
		if c.ends {
			result := rest[strings.LastIndex(rest, " = ")+3:]
			fmt.Sscan(result, &c.result)
			c.unknown = strings.HasPrefix(result, "?")
		} else {
			unfinished[thread] = c
		}
		calls = append(calls, c)
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range unfinished {
		c.begins, c.ends, c.unknown = false, true, true
		calls = append(calls, c)
	}
	return calls
}

// text returns the nth string among the arguments.
func (c call) text(n int) []byte {
	parts := strings.SplitN(c.args, `"`, 2*n+3)
	if len(parts) < 2*n+3 {
		return nil
	}
	b, err := hex.DecodeString(strings.ReplaceAll(parts[2*n+1], `\x`, ""))
	if err != nil {
		panic(err)
	}
	return b
}

// number returns the nth argument that is a number; strings count as arguments. A path may not hold a
// comma: strings are written in hexadecimal digits.
func (c call) number(n int) int {
	rest := c.args
	for range n {
		_, rest, _ = strings.Cut(rest, ", ")
	}
	number := -1
	fmt.Sscan(rest[:min(len(rest), 20)], &number)
	return number
}
