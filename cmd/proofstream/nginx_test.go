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
	"testing"
	"time"
)

// nginx starts an nginx in front of the program, with its defaults except what is given, and returns its address.
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
	out, _ := startProcess(t, exec.Command("nginx", "-c", file, "-p", dir, "-e", "stderr"))
	until(t, patience, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, out.String)
	return "http://" + address
}

// Behind nginx with its defaults, which buffers answers and speaks HTTP/1.0 upstream, and behind the README's recipe: the
// opening frame and every event come at once.
func TestBehindNginx(t *testing.T) {
	slow(t)
	for name, settings := range map[string]string{
		"defaults": "",
		"HTTP/1.1": `proxy_http_version 1.1; proxy_set_header Connection "";`,
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			front := server{url: nginx(t, p, settings), key: p.key}
			var firsts []time.Duration
			for range 5 {
				firsts = append(firsts, firstFrame(t, front))
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
			if clean := !errors.Is(end.err, io.ErrUnexpectedEOF); clean != (settings == "") || len(ofKind(s.received(), "busy")) != 1 {
				t.Errorf("got end %v and %d busy", end.err, len(ofKind(s.received(), "busy")))
			}
		})
	}
}

// firstFrame returns how long it takes from connecting to the end of the opening frame.
func firstFrame(t testing.TB, s server) time.Duration {
	t.Helper()
	began := time.Now()
	resp, err := http.ReadResponse(bufio.NewReader(s.raw(t, streamRequest(""))), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newEventReader(resp.Body, "").next(); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}
