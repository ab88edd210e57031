// Command proofstream announces signups on open web pages: backends post them, browsers subscribe
// to them. It is configured by environment variables alone; .env.example lists them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	spareMemory()
	overlapDisk()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Environ(), os.Stderr, nil); err != nil {
		fmt.Fprintln(os.Stderr, "proofstream:", err)
		os.Exit(exitStatus(err))
	}
}

// overlapDisk lets Go run something while a thread waits for the disk on a machine of one core: with
// the one processor that it would use there, half as many posts are stored. A GOMAXPROCS in the
// environment wins.
func overlapDisk() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) == 1 {
		runtime.GOMAXPROCS(2)
	}
}

// exitStatus is 2 for a configuration that cannot be used, 1 for anything else.
func exitStatus(err error) int {
	var config *ConfigError
	if errors.As(err, &config) {
		return 2
	}
	return 1
}
