package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSoak keeps the service busy with subscribers of whom a tenth reconnects every minute, posts,
// retractions, resumes and guesses of keys from ever new addresses, and watches live heap,
// goroutines and descriptors: after a warm-up of a fifth of the time they must not grow. SOAK=1h
// (not with -race, and with -timeout 0) is what it is for; the few seconds of the ordinary suite
// only show that it runs.
func TestSoak(t *testing.T) {
	length, subscribers := 3*time.Second, 60
	if s := os.Getenv("SOAK"); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
		subscribers = 1000
	}
	ops := freeAddress(t)
	p := start(t, "PROOF_METRICS_ADDR="+ops, "PROOF_RETAIN=200",
		"PROOF_TRUSTED_PROXIES=127.0.0.1/32", "PROOF_MAX_SUBSCRIBERS_PER_ADDRESS=100000")
	s := &soak{p: p, ops: &program{t: t, url: "http://" + ops}, stop: make(chan struct{})}
	for range subscribers {
		s.run.Go(func() { s.subscribe(length, time.Duration(rand.Int64N(int64(10*time.Minute)))) })
	}
	s.run.Go(func() { s.every(t, 100*time.Millisecond, s.post) })
	s.run.Go(func() { s.every(t, 10*time.Millisecond, s.guess) })
	const samples = 50
	for i := range samples {
		time.Sleep(length / samples) // the time to watch, not one to hope for
		s.curve = append(s.curve, s.sample(t))
		t.Logf("%3d%%  %v", 100*(i+1)/samples, s.curve[i])
	}
	close(s.stop)
	s.run.Wait()
	if os.Getenv("SOAK") != "" {
		s.judge(t)
	}
}

type soak struct {
	p, ops *program
	stop   chan struct{}
	run    sync.WaitGroup
	curve  []reading
}

// reading is the process at one moment.
type reading struct {
	heap                           float64 // bytes alive
	goroutines, descriptors, posts int
}

func (r reading) String() string {
	return fmt.Sprintf("heap %6.2f MiB  goroutines %5d  descriptors %5d  stored %d", r.heap/(1<<20), r.goroutines, r.descriptors, r.posts)
}

// every calls f again and again until the end.
func (s *soak) every(t *testing.T, pause time.Duration, f func(t *testing.T, n int)) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			f(t, n)
		}
	}
}

func (s *soak) post(t *testing.T, n int) {
	id := s.p.post(t, fmt.Sprintf("user_name=Visitor %d", n), "offer_name="+strings.Repeat("x", rand.IntN(120)))
	if n%10 == 0 {
		s.p.ask(t, "DELETE", "/signup/"+id, "", "Authorization: Bearer "+s.p.key)
	}
}

func (s *soak) guess(t *testing.T, n int) {
	s.p.ask(t, "POST", "/signup", "{}", "Content-Type: application/json", "X-API-Key: wrong",
		fmt.Sprintf("X-Forwarded-For: 10.%d.%d.%d", n>>16&255, n>>8&255, n&255))
}

// subscribe reads a stream, first for a while, from then on for ten minutes each time, and returns
// to where it was; some return to a position long gone.
func (s *soak) subscribe(length, first time.Duration) {
	tr := &http.Transport{DisableKeepAlives: true}
	position := ""
	for d := first; ; d = 10 * time.Minute {
		if length < time.Minute {
			d = d / 600 // a tenth every second
		}
		resp, err := (&http.Client{Transport: tr}).Get(s.p.url + "/events?recent=5&last_event_id=" + position)
		if err == nil {
			position = s.read(resp.Body, d, position)
		}
		select {
		case <-s.stop:
			return
		default:
		}
	}
}

// read reads for so long and returns the last id, or at times the one from before.
func (s *soak) read(body io.ReadCloser, d time.Duration, before string) string {
	end := time.AfterFunc(d, func() { body.Close() })
	defer end.Stop()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-s.stop:
			body.Close()
		case <-done:
		}
	}()
	last, b := before, make([]byte, 4096)
	for {
		n, err := body.Read(b)
		if i := strings.LastIndex(string(b[:n]), "\nid: "); i >= 0 {
			last, _, _ = strings.Cut(string(b[i+5:n]), "\n")
		}
		if err != nil {
			body.Close()
			if before != "" && rand.IntN(20) == 0 {
				return before
			}
			return last
		}
	}
}

// sample has the garbage collected, then reads the metrics.
func (s *soak) sample(t *testing.T) reading {
	t.Helper()
	s.ops.get(t, "/debug/pprof/heap?gc=1")
	text := s.ops.get(t, "/metrics").body
	number := func(name string) float64 {
		m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("there is no %s", name)
		}
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return reading{number("go_memstats_heap_alloc_bytes"), int(number("go_goroutines")), int(number("process_open_fds")),
		int(number(`proofstream_signups_total{outcome="stored",site="default"}`))}
}

// judge compares the last fifth with the one after the warm-up.
func (s *soak) judge(t *testing.T) {
	fifth := len(s.curve) / 5
	middle := func(of []reading, value func(reading) float64) float64 {
		var values []float64
		for _, r := range of {
			values = append(values, value(r))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	for _, what := range []struct {
		name  string
		value func(reading) float64
		slack float64
	}{
		{"heap", func(r reading) float64 { return r.heap }, 6 << 20}, // the log's buffers of 4 MiB come and go
		{"goroutines", func(r reading) float64 { return float64(r.goroutines) }, 10},
		{"descriptors", func(r reading) float64 { return float64(r.descriptors) }, 10},
	} {
		early, late := middle(s.curve[fifth:2*fifth], what.value), middle(s.curve[4*fifth:], what.value)
		t.Logf("%s: %.0f, later %.0f", what.name, early, late)
		if late > early*1.05+what.slack {
			t.Errorf("%s grew from %.0f to %.0f", what.name, early, late)
		}
	}
}
