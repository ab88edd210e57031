package protocol

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

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/ssetest"
	"proofstream/stream/waitfor"
)

// nginx starts an nginx in front of the program, with its defaults except for settings, and returns its address.
func nginx(t *testing.T, p *e2e.Program, settings string) (url string) {
	t.Helper()
	e2e.Need(t, "nginx")
	dir, address := t.TempDir(), e2e.FreeAddress(t)
	config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events {}
http {
	access_log off; client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
	server { listen %[2]s; location / { proxy_pass %[3]s; %[4]s } }
}`, dir, address, p.URL, settings)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := e2e.StartProcess(t, exec.Command("nginx", "-c", file, "-p", dir, "-e", "stderr"))
	waitfor.Until(t, waitfor.Patience, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, out.String)
	return "http://" + address
}

// The first frame and every event arrive at once behind nginx with its defaults, which buffer responses and use HTTP/1.0 upstream,
// and behind nginx with HTTP/1.1 upstream.
func TestBehindNginx(t *testing.T) {
	e2e.Slow(t)
	for name, settings := range map[string]string{
		"defaults": "",
		"HTTP/1.1": `proxy_http_version 1.1; proxy_set_header Connection "";`,
	} {
		t.Run(name, func(t *testing.T) {
			p := e2e.Start(t)
			front := e2e.Server{URL: nginx(t, p, settings), Key: p.Key}
			var firsts []time.Duration
			for range 5 {
				firsts = append(firsts, firstFrame(t, front))
			}
			slices.Sort(firsts)
			if firsts[0] > 250*time.Millisecond { // the best of five: other tests run on this machine
				t.Errorf("first frames came after %v, want 250 ms at most", firsts)
			}
			s := front.Listen(t, "")
			s.Ready(t)
			for i := range 20 {
				began := time.Now()
				id := front.Post(t, fmt.Sprintf("user_name=%d", i))
				got := s.AwaitEvents(t, "signup", i+1)[i]
				if took := time.Since(began); got.ID != id || took > 2*time.Second {
					t.Errorf("got %s after %v, want %s at once", got.ID, took, id)
				}
			}
			p.Term()
			end := s.Ended(t)
			if clean := !errors.Is(end.Err, io.ErrUnexpectedEOF); clean != (settings == "") || len(e2e.OfKind(s.Received(), "busy")) != 1 {
				t.Errorf("got end %v and %d busy", end.Err, len(e2e.OfKind(s.Received(), "busy")))
			}
		})
	}
}

// firstFrame returns the time from connecting to the end of the first frame.
func firstFrame(t testing.TB, s e2e.Server) time.Duration {
	t.Helper()
	began := time.Now()
	resp, err := http.ReadResponse(bufio.NewReader(s.Raw(t, e2e.StreamRequest(""))), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ssetest.NewReader(resp.Body, "").Next(); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}
