package main

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// warn logs what may not be meant in the configuration.
func warn(cfg Config, logger *slog.Logger) {
	if len(cfg.Linked) > 0 {
		logger.Info("ignoring variables of Kubernetes or Docker links; enableServiceLinks: false ends them", "variables", cfg.Linked)
	}
	for _, w := range cfg.Warnings {
		logger.Warn("check this variable", "variable", w.Variable, "warning", w.Text)
	}
}

// fewSubscribers is a limit of streams that most sites will reach.
const fewSubscribers = 1000

// limitSubscribers lowers cfg.MaxSubscribers to what the limit of open files allows, and logs that. It also logs when the default, which
// follows that limit, is low.
func limitSubscribers(cfg *Config, logger *slog.Logger) {
	files := descriptorLimit()
	fit := capSubscribers(cfg.MaxSubscribers, files)
	switch byDefault := cfg.MaxSubscribers == defaultMaxSubscribers(files); {
	case byDefault && cfg.MaxSubscribers < fewSubscribers:
		logger.Warn("the limit of open files allows few streams: raise it (ulimit -n, LimitNOFILE)",
			"open_files", files, "max_subscribers", cfg.MaxSubscribers)
	case fit < cfg.MaxSubscribers && !byDefault:
		logger.Warn("PROOF_MAX_SUBSCRIBERS is more than the limit of open files allows: raise that limit (ulimit -n, LimitNOFILE)",
			"asked", cfg.MaxSubscribers, "max_subscribers", fit)
	}
	cfg.MaxSubscribers = fit
}

const (
	// baseMemory is what the service takes without streams, with room for posts.
	baseMemory = 32 << 20

	// streamMemory is what a stream takes, in the process and in the kernel, which a limit counts too.
	streamMemory = 10 << 10

	// secureStreamMemory is the same for a stream over HTTP/2, which browsers use with HTTPS.
	secureStreamMemory = 64 << 10

	// kernelMemory is the kernel's part of it.
	kernelMemory = 4 << 10
)

// limitMemory applies the memory limit of a container (its cgroup): it lowers cfg.MaxSubscribers to the streams that fit, and makes the
// garbage collector keep to the limit, unless GOMEMLIMIT is set. Without it the kernel kills the process.
func limitMemory(cfg *Config, environ []string, logger *slog.Logger) {
	limit, err := memlimit.FromCgroup()
	if err != nil || limit == 0 { // no cgroup, or one without a limit
		return
	}
	fit, heap := planMemory(cfg.MaxSubscribers, limit, cfg.secure())
	if fit < cfg.MaxSubscribers {
		level := slog.LevelWarn
		if cfg.MaxSubscribers == defaultMaxSubscribers(descriptorLimit()) {
			level = slog.LevelInfo // nobody asked for as many
		}
		logger.Log(context.Background(), level, "the memory limit allows fewer streams: raise it for more",
			"memory_limit", limit, "asked", cfg.MaxSubscribers, "max_subscribers", fit)
		cfg.MaxSubscribers = fit
	}
	if !slices.ContainsFunc(environ, func(entry string) bool { return strings.HasPrefix(entry, "GOMEMLIMIT=") && entry != "GOMEMLIMIT=" }) {
		debug.SetMemoryLimit(heap)
	}
}

// planMemory returns how many of the requested streams fit into a memory limit, at least 1, and how much of it the Go runtime may use: a
// tenth, and the kernel's part of each stream, is left.
func planMemory(requested int, limit uint64, secure bool) (streams int, heap int64) {
	each := uint64(streamMemory)
	if secure {
		each = secureStreamMemory
	}
	limit = min(limit, 1<<50) // more is none
	room := max(limit, baseMemory+each) - baseMemory
	streams = int(min(uint64(requested), room/each))
	return streams, int64(limit/10*9) - int64(streams)*kernelMemory
}
