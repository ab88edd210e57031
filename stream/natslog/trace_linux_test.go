package natslog

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tracedCalls change files, or may tell somebody that they were changed.
const tracedCalls = "trace=openat,creat,close,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,lseek,dup,dup2,dup3," +
	"rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlinkat,fsync,fdatasync,sync_file_range,copy_file_range,sendfile,splice"

// call is one end of a system call; calls that nothing came between are one of both.
type call struct {
	thread     string
	at         time.Duration // since the epoch
	name, args string        // args as strace shows them, of the whole call
	begins     bool
	ends       bool
	result     int // -1 when it failed, which is also that of one that did not end
}

// trace runs a writer under strace until it has told enough lines, and returns all of its calls and how it
// ended. More arguments are for strace.
func trace(t *testing.T, p plan, enough func(line string) bool, more ...string) []call {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is not installed; install it")
		}
		t.Skip("strace is not installed")
	}
	file := filepath.Join(t.TempDir(), "trace")
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-f", "-xx", "-s", "8000000", "-ttt", "-T", "-o", file, "-e", tracedCalls}, more...)
	if !strings.Contains(strings.Join(more, " "), "signal=") {
		args = append(args, "--seccomp-bpf") // stops at these calls alone, with which strace loses signals
	}
	cmd := exec.Command("strace", append(args, os.Args[0])...)
	cmd.Env = append(os.Environ(), writerPlan+"="+string(text))
	stderr := new(bytes.Buffer)
	cmd.Stderr = stderr
	in, err1 := cmd.StdinPipe() // its end ends the writer
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(time.Minute, func() { in.Close() })
	defer stop.Stop()
	said := false
	for lines := bufio.NewScanner(out); lines.Scan(); said = true {
		if enough(lines.Text()) {
			in.Close()
		}
	}
	in.Close()
	cmd.Wait()
	if !said {
		if strings.Contains(strings.ToLower(stderr.String()), "ptrace") {
			t.Skipf("tracing is not permitted here: %s", stderr)
		}
		t.Fatalf("the writer said nothing; %s", stderr)
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
		stamp, rest, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
		seconds, err := strconv.ParseFloat(stamp, 64)
		if err != nil || strings.HasPrefix(rest, "---") || strings.HasPrefix(rest, "+++") {
			continue
		}
		c := call{thread: thread, at: time.Duration(seconds * 1e9)}
		if strings.HasPrefix(rest, "<... ") {
			begun := unfinished[thread]
			c.name, c.args, c.ends = begun.name, begun.args, true
		} else {
			c.begins, c.ends = true, !strings.HasSuffix(rest, "<unfinished ...>")
			var found bool
			if c.name, c.args, found = strings.Cut(rest, "("); !found {
				continue
			}
		}
		if c.result = -1; c.ends {
			c.finish(rest)
		} else {
			unfinished[thread] = c
		}
		calls = append(calls, c)
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return calls
}

// finish takes the result and the time spent from the end of a line, " = RESULT <SECONDS>".
func (c *call) finish(line string) {
	_, end, _ := cutLast(line, " = ")
	fmt.Sscan(end, &c.result)
	if _, spent, ok := cutLast(end, "<"); ok && c.begins {
		seconds, _ := strconv.ParseFloat(strings.TrimSuffix(spent, ">"), 64)
		c.at += time.Duration(seconds * 1e9)
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
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
