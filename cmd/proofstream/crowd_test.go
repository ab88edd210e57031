package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crowd is many subscribers of one site that do not reconnect.
type crowd struct {
	all   []*member
	total atomic.Int64 // signups that arrived
	left  atomic.Int64 // members whose stream has not ended
	timed atomic.Bool  // members note when signups come
	done  sync.WaitGroup
}

// member is one of a crowd. Its fields may be read when its stream has ended, or behind a fact that it counted.
type member struct {
	crowd  *crowd
	conn   net.Conn
	pause  atomic.Int64 // nanoseconds after each batch that it reads
	mu     sync.Mutex
	ids    []string
	came   []time.Time // of signups, while the crowd is timed
	kinds  map[string]int
	ready  string // what it was told at first
	retry  int
	open   bool // a frame is begun and not ended
	err    error
	endAt  time.Time
	status int
}

// gather opens n streams and waits until each has its opening frame. Each reads until its stream ends.
func gather(t testing.TB, p *program, n int, query string) *crowd {
	t.Helper()
	c := &crowd{}
	addr := strings.TrimPrefix(p.url, "http://")
	opened := make(chan error, n)
	limit := make(chan struct{}, 64)
	for range n {
		m := &member{crowd: c, kinds: map[string]int{}}
		c.all = append(c.all, m)
		c.left.Add(1)
		c.done.Go(func() {
			limit <- struct{}{}
			m.conn, m.err = net.DialTimeout("tcp", addr, patience)
			if m.err == nil {
				_, m.err = fmt.Fprintf(m.conn, "GET /events%s HTTP/1.1\r\nHost: %s\r\n\r\n", query, addr)
			}
			<-limit
			m.read(opened)
		})
	}
	t.Cleanup(c.close)
	for range n {
		if err := <-opened; err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *crowd) close() {
	for _, m := range c.all {
		if m.conn != nil {
			m.conn.Close()
		}
	}
	c.done.Wait()
}

func (m *member) read(opened chan<- error) {
	defer m.crowd.left.Add(-1)
	if m.err != nil {
		opened <- m.err
		return
	}
	defer m.conn.Close()
	resp, err := http.ReadResponse(bufio.NewReaderSize(m.conn, 4<<10), nil)
	if err != nil {
		m.err = err
		opened <- err
		return
	}
	m.status = resp.StatusCode
	lines := bufio.NewReader(resp.Body)
	p := parser{}
	for first := true; ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			m.mu.Lock()
			m.err, m.endAt = err, time.Now()
			m.mu.Unlock()
			if first {
				opened <- err
			}
			return
		}
		if line == ":\n" {
			continue
		}
		e, ok := p.line(strings.TrimSuffix(line, "\n"))
		m.mu.Lock()
		m.open = line != "\n"
		if ok {
			m.kinds[e.kind]++
			if e.kind == "ready" {
				m.ready = e.data
			}
			if e.kind == "signup" {
				m.ids = append(m.ids, e.id)
				if m.crowd.timed.Load() {
					m.came = append(m.came, e.at)
				}
				m.crowd.total.Add(1)
			}
			m.retry = int(p.retry.Milliseconds())
		}
		m.mu.Unlock()
		if ok && first {
			first = false
			opened <- nil
		}
		if ok && lines.Buffered() == 0 {
			time.Sleep(time.Duration(m.pause.Load()))
		}
	}
}

// slow makes a member read with a pause after each batch, and the kernel take little for it.
func (m *member) slow(pause time.Duration) {
	m.conn.(*net.TCPConn).SetReadBuffer(1)
	m.pause.Store(int64(pause))
}

// await waits until n signups have arrived at each member.
func (c *crowd) await(t testing.TB, n int, within time.Duration) {
	t.Helper()
	want := int64(n * len(c.all))
	until(t, within, func() bool { return c.total.Load() >= want }, func() string {
		return fmt.Sprintf("%d of %d signups arrived, %d of %d streams are open", c.total.Load(), want, c.left.Load(), len(c.all))
	})
}

// ended waits until every stream has ended.
func (c *crowd) ended(t testing.TB, within time.Duration) {
	t.Helper()
	until(t, within, func() bool { return c.left.Load() == 0 }, func() string {
		return fmt.Sprintf("%d of %d streams are open", c.left.Load(), len(c.all))
	})
	c.done.Wait()
}

// audit holds what each member received to what was published, in order, each once. With everything there, none may have
// been told a gap.
func (c *crowd) audit(t testing.TB, want []string) {
	t.Helper()
	for i, m := range c.all {
		m.mu.Lock()
		if difference := differ(m.ids, want); difference != "" {
			t.Errorf("subscriber %d, told %s: %s", i, m.ready, difference)
		}
		if strings.Contains(m.ready, `"gap"`) {
			t.Errorf("subscriber %d was told %s", i, m.ready)
		}
		m.mu.Unlock()
	}
}

// differ describes the first difference between what came and what was to come, "" if there is none.
func differ(got, want []string) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("got %d events, want %d; %s is missing", len(got), len(want), want[i])
		case i >= len(want):
			return fmt.Sprintf("got %d events, want %d; %s is too much", len(got), len(want), got[i])
		case got[i] != want[i]:
			return fmt.Sprintf("event %d is %s, want %s", i, got[i], want[i])
		}
	}
	return ""
}

// until waits for a fact, and says how things stand when it does not come.
func until(t testing.TB, within time.Duration, fact func() bool, stand func() string) {
	t.Helper()
	for deadline := time.Now().Add(within); !fact(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, stand())
		}
	}
}

// burst posts n signups from several backends at once, and returns their ids in the order of the log. All have the fields
// that are given.
func (p *program) burst(t testing.TB, n int, fields ...string) (ids []string) {
	t.Helper()
	var (
		posting sync.WaitGroup
		mu      sync.Mutex
		next    atomic.Int64
	)
	for range 8 {
		posting.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				id, err := p.tryPost("", append([]string{fmt.Sprintf("user_name=burst %d", i)}, fields...)...)
				mu.Lock()
				if err != nil {
					t.Errorf("post %d: %v", i, err)
				}
				ids = append(ids, id)
				mu.Unlock()
			}
		})
	}
	posting.Wait()
	sortIDs(ids)
	return ids
}

// sequence returns the number in an id.
func sequence(id string) int {
	_, digits, _ := strings.Cut(id, "-")
	n, _ := strconv.Atoi(digits)
	return n
}
