package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress prints the state of a run: on a terminal it rewrites one line five times a second,
// elsewhere it prints a line at most every five seconds.
type progress struct {
	w        io.Writer
	terminal bool   // w is a terminal
	phase    string // with its number
	count    int    // of phases started
	started  time.Time
	next     time.Time // of the next update to print
}

// newProgress returns a progress that writes to w, or nowhere if quiet.
func newProgress(w io.Writer, quiet bool) *progress {
	if quiet {
		w = io.Discard
	}
	file, ok := w.(*os.File)
	if ok {
		info, err := file.Stat()
		ok = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return &progress{w: w, terminal: ok}
}

// printf prints a line that stays.
func (p *progress) printf(format string, args ...any) {
	p.print(fmt.Sprintf(format, args...) + "\n")
}

// start begins the next of several phases.
func (p *progress) start(phase string, of int) {
	p.count++
	p.phase, p.started = fmt.Sprintf("%d/%d %-8s", p.count, of, phase), time.Now()
	p.next = p.started.Add(p.interval())
}

// update prints the state of the current phase if the interval has passed.
func (p *progress) update(r *runner) {
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(p.interval())
	line := fmt.Sprintf("%s %4.0f s  %d of %d connected, %d delivered in total, %d violations", p.phase,
		now.Sub(p.started).Seconds(), r.pool.ready(), r.connected, r.pool.counts.Delivered, r.pool.counts.violations())
	if !p.terminal {
		line += "\n"
	}
	p.print(line)
}

func (p *progress) finish(phase *Phase) {
	p.printf("%s done in %.2f s: %d delivered, %d violations", p.phase, phase.Seconds, phase.Audit.Delivered, phase.Audit.violations())
}

func (p *progress) interval() time.Duration {
	if p.terminal {
		return 200 * time.Millisecond
	}
	return 5 * time.Second
}

// print overwrites the current line of a terminal.
func (p *progress) print(text string) {
	if p.terminal {
		text = "\r\x1b[K" + text
	}
	fmt.Fprint(p.w, text)
}
