package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// command is one command of the program: its first argument.
type command struct {
	name        string
	args        string // its arguments, as usage shows them
	least, most int    // number of its arguments
	does        string // one line for usage
	run         func(ctx context.Context, c invocation) error
}

// invocation is what a command reads and writes.
type invocation struct {
	args           []string // after the command's name
	environ        []string // as os.Environ gives it
	stdout, stderr io.Writer
}

// commands returns the commands in the order of usage. Without a command the program runs the service.
func commands() []command {
	return []command{
		{"check", "", 0, 0, "prints the configuration without secrets, or every problem of it; starts nothing", check},
		{"healthcheck", "", 0, 0, "asks the service that the same environment configures whether it is ready", healthcheck},
		{"backup", "FILE", 1, 1, "writes a consistent copy of the embedded event log, also while the service runs", backup},
		{"export", "[SITE]", 0, 1, "prints all kept signups of a site, oldest first, one JSON object a line", export},
		{"version", "", 0, 0, "prints version, revision and Go version, as does --version", version},
		{"help", "", 0, 0, "prints this text, as do -h and --help", help},
	}
}

// execute runs the command that args name, or the service without any, and returns the exit status: 2 for unknown
// arguments, an invalid configuration or an unknown site, 1 for any other error. It prints an error to stderr.
func execute(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	do, c := serve, invocation{environ: environ, stdout: stdout, stderr: stderr}
	if len(args) > 0 {
		found, ok := findCommand(args)
		if !ok {
			fmt.Fprintf(stderr, "proofstream: %s\n\n", refuseArguments(args[0]))
			usage(stderr)
			return 2
		}
		do, c.args = found.run, args[1:]
	}
	if err := do(ctx, c); err != nil {
		reportTo(stderr, err, len(args) == 0 && logsJSON(environ))
		return exitStatus(err)
	}
	return 0
}

// reportTo prints the error that ends the program, as a log line in JSON if asJSON.
func reportTo(stderr io.Writer, err error, asJSON bool) {
	if !asJSON {
		fmt.Fprintln(stderr, "proofstream:", err)
		return
	}
	logger := newLogger(Config{LogFormat: "json"}, stderr)
	if config, ok := errors.AsType[*ConfigError](err); ok {
		logger.Error("the configuration has problems", "problems", config.Problems)
		return
	}
	logger.Error("the service cannot run", "error", err.Error())
}

// refuseArguments returns why the arguments that begin with first are refused. It does not show a value, which may be secret.
func refuseArguments(first string) string {
	name, _, _ := strings.Cut(first, "=")
	if slices.ContainsFunc(commands(), func(c command) bool { return c.name == name }) {
		return name + " takes other arguments"
	}
	text := "unknown argument " + printable(name)
	variable := envPrefix + strings.ToUpper(strings.ReplaceAll(strings.TrimLeft(name, "-"), "-", "_"))
	switch strings.TrimLeft(name, "-") {
	case "port", "p", "addr", "address", "host", "bind", "listen":
		variable = "PROOF_ADDR"
	}
	switch {
	case variable == "PROOF_ADDR":
		return text + ": there are no flags; set the environment variable PROOF_ADDR, such as PROOF_ADDR=:8080"
	case knownNames()[variable]:
		return text + ": there are no flags; set the environment variable " + variable
	}
	return text
}

// findCommand returns the command that args[0] names. ok is false if there is none, or if it does not accept that many
// arguments.
func findCommand(args []string) (found command, ok bool) {
	name, n := args[0], len(args)-1
	switch name {
	case "-h", "--help":
		name = "help"
	case "--version":
		name = "version"
	}
	all := commands()
	i := slices.IndexFunc(all, func(c command) bool { return c.name == name && c.least <= n && n <= c.most })
	if i < 0 {
		return command{}, false
	}
	return all[i], true
}

// errUnknownSite means that the site to export is neither configured nor in the log.
var errUnknownSite = errors.New("unknown site")

// exitStatus returns the exit status for an error of a command.
func exitStatus(err error) int {
	var config *ConfigError
	if errors.As(err, &config) || errors.Is(err, errUnknownSite) || errors.Is(err, errUnchecked) {
		return 2
	}
	return 1
}

// serve runs the service. SIGHUP does not end it, from the first moment on.
func serve(ctx context.Context, c invocation) error {
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	return run(ctx, c.environ, c.stderr, reload, nil)
}

func version(_ context.Context, c invocation) error {
	b := thisBuild()
	_, err := fmt.Fprintf(c.stdout, "proofstream %s, revision %s, %s\n", b.Version, cmp.Or(b.Revision, "unknown"), runtime.Version())
	return err
}

func help(_ context.Context, c invocation) error {
	usage(c.stdout)
	return nil
}

func usage(w io.Writer) {
	fmt.Fprintf(w, "%-28s %s\n", "proofstream", "runs the service")
	for _, c := range commands() {
		fmt.Fprintf(w, "%-28s %s\n", "proofstream "+c.name+" "+c.args, c.does)
	}
	fmt.Fprintln(w, "\nEverything else is configured by environment variables; .env.example lists them.")
}
