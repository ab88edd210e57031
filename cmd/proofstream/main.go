// Command proofstream announces signups on open web pages: backends post them, browsers subscribe
// to them. It is configured by environment variables alone; .env.example lists them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	spareMemory()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Environ(), os.Stderr, nil); err != nil {
		fmt.Fprintln(os.Stderr, "proofstream:", err)
		os.Exit(exitStatus(err))
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
