// Command loadgen measures an installation from outside and audits what every subscriber got.
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
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program. It returns the exit status: 0 when nothing was lost, repeated or dropped, 1
// when something was or the run failed, 2 for a command line that makes no sense.
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
	case o.plot != "":
		err = plotFiles(o.plot, o.reports)
	case o.compare:
		err = compareFiles(stdout, o.reports)
	default:
		err = generate(ctx, o, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "loadgen: %v\n", err)
		return 1
	}
	return 0
}

var errFlaws = errors.New("the audit found flaws, see the report")

// generate runs the phases and writes the report, of as much as was done.
func generate(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	// On one core the runtime would have the goroutine that polls and those that post take turns
	// by its own slow preemption; with two the kernel shares the core among them.
	if runtime.GOMAXPROCS(0) < 2 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	}
	t, err := findTarget(o.url)
	if err != nil {
		return err
	}
	r, err := newRunner(ctx, t, o, newProgress(stderr, o.quiet))
	if err != nil {
		return err
	}
	report, err := r.run()
	if writeErr := report.write(o.json, stdout); writeErr != nil {
		return writeErr
	}
	if err == nil && report.Total.flaws() > 0 {
		err = errFlaws
	}
	return err
}
