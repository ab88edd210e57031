package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// progress tells a person what is going on: on a terminal one line that renews itself, elsewhere a
// line at most every five seconds.
type progress struct {
	mu    sync.Mutex // guards all below; notes come from other goroutines too
	w     io.Writer
	live  bool // w is a terminal
	phase string
	began time.Time
	next  time.Time
}

func newProgress(w io.Writer, quiet bool) *progress {
	if quiet {
		w = io.Discard
	}
	file, ok := w.(*os.File)
	if ok {
		info, err := file.Stat()
		ok = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return &progress{w: w, live: ok}
}

func (p *progress) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.print(fmt.Sprintf(format, args...)+"\n", true)
}

func (p *progress) begin(phase string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phase, p.began = phase, time.Now()
	p.next = p.began.Add(p.pause())
}

// tick shows how far the phase has come, if it is time for that.
func (p *progress) tick(r *runner) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(p.pause())
	line := fmt.Sprintf("%-8s %4.0f s  %d of %d connected, %d delivered in all, %d flaws", p.phase,
		now.Sub(p.began).Seconds(), r.swarm.live, r.connected, r.swarm.counts.Delivered, r.swarm.counts.flaws())
	p.print(line, false)
}

func (p *progress) end(phase *Phase) {
	p.note("%-8s done in %.2f s: %d delivered, %d flaws", phase.Name, phase.Seconds, phase.Audit.Delivered, phase.Audit.flaws())
}

func (p *progress) pause() time.Duration {
	if p.live {
		return 200 * time.Millisecond
	}
	return 5 * time.Second
}

// print replaces the renewed line on a terminal. Callers hold p.mu.
func (p *progress) print(text string, stays bool) {
	switch {
	case p.live:
		fmt.Fprintf(p.w, "\r\x1b[K%s", text)
	case stays:
		fmt.Fprint(p.w, text)
	default:
		fmt.Fprintln(p.w, text)
	}
}
