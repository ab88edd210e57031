// Command proofstream announces signups on open web pages: backends post them, browsers subscribe
// to them. It is configured by environment variables alone; .env.example lists them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	spareMemory()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(execute(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
