package fanout

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/ssetest"
)

// TestSoak checks that live heap, goroutines and descriptors do not grow after a warm-up of a fifth of the time. 1,000 subscribers, of
// which a tenth reconnects every minute, posts, erasures, resumes and wrong keys from many addresses keep the service busy. It runs
// with SOAK=1h, in the nightly job, without -race and with -timeout 0.
func TestSoak(t *testing.T) {
	if os.Getenv("SOAK") == "" {
		t.Skip("a soak: set SOAK=1h")
	}
	length, err := time.ParseDuration(os.Getenv("SOAK"))
	if err != nil {
		t.Fatal(err)
	}
	p := e2e.Start(t, e2e.MetricsOn(t), "PROOF_RETAIN=200",
		"PROOF_TRUSTED_PROXIES=127.0.0.1/32", "PROOF_MAX_SUBSCRIBERS_PER_ADDRESS=100000")
	s := &soak{p: p, stop: make(chan struct{})}
	for range 1000 {
		s.run.Go(func() { s.subscribe(rand.N(10 * time.Minute)) })
	}
	s.run.Go(func() { s.every(t, 100*time.Millisecond, s.post) })
	s.run.Go(func() { s.every(t, 10*time.Millisecond, s.tryWrongKey) })
	const samples = 50
	for i := range samples {
		time.Sleep(length / samples) // the time between samples
		s.curve = append(s.curve, s.sample(t))
		t.Logf("%3d%%  %v", 100*(i+1)/samples, s.curve[i])
	}
	close(s.stop)
	s.run.Wait()
	s.check(t)
}

// soak is a running TestSoak.
type soak struct {
	p     *e2e.Program
	stop  chan struct{}
	run   sync.WaitGroup
	curve []sample
}

// sample is the state of the process at one moment.
type sample struct {
	heap                           float64 // live bytes
	goroutines, descriptors, posts int     // posts are the stored ones
}

func (r sample) String() string {
	return fmt.Sprintf("heap %6.2f MiB  goroutines %5d  descriptors %5d  stored %d", r.heap/(1<<20), r.goroutines, r.descriptors, r.posts)
}

// every calls f at an interval until the end of the soak.
func (s *soak) every(t *testing.T, interval time.Duration, f func(t *testing.T, n int)) {
	tick := time.NewTicker(interval)
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
	id := s.p.Post(t, fmt.Sprintf("user_name=Visitor %d", n), "offer_name="+strings.Repeat("x", rand.IntN(120)))
	if n%10 == 0 {
		s.p.Erase(t, id)
	}
}

func (s *soak) tryWrongKey(t *testing.T, n int) {
	s.p.Request(t, "POST", "/signup", "{}", "Content-Type: application/json", "X-API-Key: wrong",
		fmt.Sprintf("X-Forwarded-For: 10.%d.%d.%d", n>>16&255, n>>8&255, n&255))
}

// subscribe reads a stream for a first duration, then for ten minutes each time. It resumes from the last id. One time in
// twenty it resumes from the cursor of the previous connection again.
func (s *soak) subscribe(first time.Duration) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	cursor := ""
	for d := first; ; d = 10 * time.Minute {
		resp, err := client.Get(s.p.URL + "/events?recent=5&last_event_id=" + cursor)
		if err == nil {
			if last := s.read(resp.Body, d, cursor); cursor == "" || rand.IntN(20) > 0 {
				cursor = last
			}
		}
		select {
		case <-s.stop:
			return
		default:
		}
	}
}

// read reads a stream for a duration, or until the end of the soak, and returns the last id.
func (s *soak) read(body io.ReadCloser, d time.Duration, cursor string) string {
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-s.stop:
		case <-time.After(d):
		case <-done:
		}
		body.Close()
	}()
	for events := ssetest.NewReader(body, cursor); ; {
		if _, err := events.Next(); err != nil {
			return events.LastID
		}
	}
}

// sample reads the metrics after a garbage collection.
func (s *soak) sample(t *testing.T) sample {
	t.Helper()
	return sample{s.p.Heap(t), int(s.p.Metric(t, "go_goroutines")), int(s.p.Metric(t, "process_open_fds")),
		int(s.p.Metric(t, `proofstream_signups_total{outcome="stored",site="default"}`))}
}

// check compares the medians of the last fifth of the samples with those of the second fifth.
func (s *soak) check(t *testing.T) {
	fifth := len(s.curve) / 5
	middle := func(of []sample, value func(sample) float64) float64 {
		var values []float64
		for _, r := range of {
			values = append(values, value(r))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	for _, what := range []struct {
		name  string
		value func(sample) float64
		slack float64
	}{
		{"heap", func(r sample) float64 { return r.heap }, 6 << 20}, // the log's buffers of 4 MiB come and go
		{"goroutines", func(r sample) float64 { return float64(r.goroutines) }, 10},
		{"descriptors", func(r sample) float64 { return float64(r.descriptors) }, 10},
	} {
		early, late := middle(s.curve[fifth:2*fifth], what.value), middle(s.curve[4*fifth:], what.value)
		t.Logf("%s: %.0f, later %.0f", what.name, early, late)
		if late > early*1.05+what.slack {
			t.Errorf("%s grew from %.0f to %.0f", what.name, early, late)
		}
	}
}
