package operation

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// With PROOF_LOG_FORMAT=json every line is JSON, also those about the generated key and about what ends the process.
func TestEveryLineOfALogForMachinesIsJSON(t *testing.T) {
	taken := strings.TrimPrefix(e2e.Start(t).URL, "http://")
	for name, test := range map[string]struct {
		env    []string
		await  string // a part of the last line
		status int
	}{
		"a generated key":      {[]string{"PROOF_API_KEYS="}, `"key":`, 0},
		"a wrong variable":     {[]string{"PROOF_RETAIN=many"}, "PROOF_RETAIN: ", 2},
		"a wrong format, last": {[]string{"PROOF_LOG_FORMAT= json ", "PROOF_ADDRR=:1"}, "PROOF_ADDRR", 2},
		"a taken port":         {[]string{"PROOF_ADDR=" + taken}, "PROOF_ADDR", 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := e2e.Launch(t, append([]string{"PROOF_LOG_FORMAT=json", "PROOF_LOG_LEVEL=debug"}, test.env...)...)
			p.AwaitLog(test.await)
			if test.status == 0 {
				p.Term()
			}
			if got := p.Wait(); got != test.status {
				t.Errorf("got status %d, want %d", got, test.status)
			}
			lines := bufio.NewScanner(strings.NewReader(p.Stderr.String()))
			for lines.Scan() {
				if !json.Valid(lines.Bytes()) {
					t.Errorf("not JSON: %s", lines.Text())
				}
			}
		})
	}
}

// The warnings about what surrounds the process are logged at its start, and it serves.
func TestSurroundingsAreLogged(t *testing.T) {
	for name, test := range map[string]struct {
		via  []string
		env  []string
		want []string // in one line
	}{
		"few open files": {[]string{"sh", "-c", `ulimit -n 300; exec "$0"`}, nil, []string{"level=WARN", "ulimit -n", "max_subscribers=44"}},
		"a Service named proof": {nil, []string{"PROOF_SERVICE_HOST=10.0.0.7", "PROOF_PORT=tcp://10.0.0.7:6009", "PROOF_PORT_6009_TCP_PROTO=tcp"},
			[]string{"level=INFO", "PROOF_SERVICE_HOST", "PROOF_PORT", "PROOF_PORT_6009_TCP_PROTO"}},
		"a key that forms change": {nil, []string{"PROOF_API_KEYS=" + e2e.TestKey + ",abc+def/ghi=jkl&mno"}, []string{"level=WARN", "PROOF_API_KEYS", "key 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := e2e.StartVia(t, test.via, test.env...)
			line := p.AwaitLog(test.want[1])
			for _, want := range test.want {
				if !strings.Contains(line, want) {
					t.Errorf("got %s, want %s in it", line, want)
				}
			}
			if n := strings.Count(p.Stderr.String(), test.want[1]); n > 2 || strings.Contains(p.Stderr.String(), "abc+def") {
				t.Errorf("got %d lines, want one, and no key:\n%s", n, p.Stderr)
			}
		})
	}
}

// Without the name localhost, or with one that only IPv6 has on a machine without IPv6, the service runs without metrics and says what to set.
func TestWithoutLocalhostThereAreNoMetrics(t *testing.T) {
	e2e.Need(t, "unshare")
	if os.Geteuid() != 0 {
		t.Skip("needs root, for file systems of its own")
	}
	for name, test := range map[string]struct{ hosts, prepare string }{
		"no name": {"", "true"},
		"no IPv6": {"::1 localhost\n", "! ip -6 addr | grep -q ::1 || ip -6 addr del ::1/128 dev lo"},
	} {
		t.Run(name, func(t *testing.T) {
			hosts, servers := filepath.Join(t.TempDir(), "hosts"), filepath.Join(t.TempDir(), "empty")
			for path, text := range map[string]string{hosts: test.hosts, servers: ""} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p := e2e.StartVia(t, []string{"unshare", "-mn", "sh", "-ec", // without a network no server of names is asked
				`mount --bind ` + hosts + ` /etc/hosts; mount --bind ` + servers + ` /etc/resolv.conf; ip link set lo up; ` + test.prepare + `; exec "$0"`},
				"PROOF_METRICS_ADDR=")
			line := p.AwaitLog("metrics are not served")
			for _, want := range []string{"level=WARN", "set PROOF_METRICS_ADDR to 127.0.0.1:9609", "or to off"} {
				if !strings.Contains(line, want) {
					t.Errorf("got %s, want %q in it", line, want)
				}
			}
		})
	}
}

// In a container with a memory limit the service accepts only the streams that fit into it.
func TestMemoryLimitOfAContainerLimitsStreams(t *testing.T) {
	group := limitedGroup(t, 64<<20)
	p := e2e.StartVia(t, []string{"sh", "-c", `echo $$ > ` + group + `/cgroup.procs; exec "$0"`}, "PROOF_MAX_SUBSCRIBERS=6000")
	if line := p.AwaitLog("memory limit"); !strings.Contains(line, "level=WARN") || !strings.Contains(line, "max_subscribers=3276") {
		t.Errorf("got %s", line)
	}
	p.Post(t)
	p.Stop()
}

// limitedGroup returns the directory of a group of processes (cgroup v1 or v2) with a memory limit. It skips the test where none can be made.
func limitedGroup(t *testing.T, bytes int) string {
	t.Helper()
	for _, limit := range []string{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"} {
		root, file := filepath.Split(limit)
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil { // not the root of a hierarchy
			continue
		}
		dir, err := os.MkdirTemp(root, "proofstream-test-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { os.Remove(dir) })
		f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0) // not created: the kernel has made it
		if err != nil {
			continue
		}
		_, err = fmt.Fprint(f, bytes)
		if f.Close(); err == nil {
			return dir
		}
	}
	t.Skip("no group of processes with a memory limit can be made here: needs root and the memory controller")
	return ""
}
