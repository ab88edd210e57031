// Command loadgen measures an installation over HTTP and audits what every subscriber received.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal terminates the process at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program. It returns the exit status: 0 for a run without violations, 1 if the audit
// found violations or the run failed or was interrupted, 2 for an invalid command line.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, getenv, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "loadgen: %v\n", err)
		return 2
	}
	switch {
	case o.floor != "":
		err = serveFloor(ctx, o.floor, stderr)
	case o.compare:
		err = compareFiles(stdout, o.reports, o.svg)
	default:
		err = generate(ctx, o, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "loadgen: %v\n", err)
		return 1
	}
	return 0
}

// These errors come after a report.
var (
	errViolations   = errors.New("the audit found violations; read the counts and the latest problem in the report, then the log of the service from that time")
	errInterrupted  = errors.New("interrupted; the report has what was measured until then, and the last phase is incomplete")
	errNoSubscriber = errors.New("no subscriber connected")
)

// generate runs the phases and writes the report. After an error or an interrupt the report has
// the phases that ran.
func generate(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	// With a single P the polling goroutine and the publishers would alternate at the runtime's
	// preemption interval of 10 ms; with two threads the kernel shares the core between them.
	if runtime.GOMAXPROCS(0) < 2 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	}
	t, err := resolveTarget(o.url)
	if err != nil {
		return err
	}
	r, err := newRunner(t, o, newProgress(stderr, o.quiet))
	if err != nil {
		return err
	}
	report, err := r.run(ctx)
	if err == nil && report.Total.violations() > 0 {
		err = errViolations
	}
	return errors.Join(err, report.write(o, stdout))
}
