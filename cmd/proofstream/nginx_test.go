package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// nginx starts an nginx in front of the program, with its defaults but for what is given, and returns its address.
func nginx(t *testing.T, p *program, settings string) (url string) {
	t.Helper()
	need(t, "nginx")
	dir, address := t.TempDir(), freeAddress(t)
	config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events {}
http {
	access_log off; client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
	server { listen %[2]s; location / { proxy_pass %[3]s; %[4]s } }
}`, dir, address, p.url, settings)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	said := newJournal()
	cmd := exec.Command("nginx", "-c", file, "-p", dir, "-e", "stderr")
	cmd.Stderr = said
	dieWithUs(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	until(t, patience, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, func() string { return said.String() })
	return "http://" + address
}

// Behind nginx as it comes, which buffers answers and speaks HTTP/1.0 upstream, and behind the README's recipe: the
// opening frame and every event come at once.
func TestBehindNginx(t *testing.T) {
	for name, settings := range map[string]string{
		"as it comes": "",
		"HTTP/1.1":    `proxy_http_version 1.1; proxy_set_header Connection "";`,
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			front := &program{t: t, url: nginx(t, p, settings), key: p.key}
			var firsts []time.Duration
			for range 5 {
				firsts = append(firsts, firstFrame(t, front.url+"/events"))
			}
			slices.Sort(firsts)
			if firsts[0] > 250*time.Millisecond { // the best of five: other tests run on this machine
				t.Errorf("opening frames came after %v, want 250 ms at most", firsts)
			}
			s := front.listen(t, "")
			s.ready(t)
			for i := range 20 {
				began := time.Now()
				id := front.post(t, fmt.Sprintf("user_name=%d", i))
				got := s.awaitEvents(t, "signup", i+1)[i]
				if took := time.Since(began); got.id != id || took > 2*time.Second {
					t.Errorf("got %s after %v, want %s at once", got.id, took, id)
				}
			}
			p.term()
			end := s.ended(t)
			if clean := !errors.Is(end.err, io.ErrUnexpectedEOF); clean != (settings == "") || len(ofKind(s.seen(), "busy")) != 1 {
				t.Errorf("got end %v and %d busy", end.err, len(ofKind(s.seen(), "busy")))
			}
		})
	}
}

// firstFrame returns how long it takes from connecting to the end of the opening frame.
func firstFrame(t testing.TB, url string) time.Duration {
	t.Helper()
	began := time.Now()
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/events"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(began.Add(patience))
	fmt.Fprintf(conn, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewReader(resp.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "\n" {
			return time.Since(began)
		}
	}
}
