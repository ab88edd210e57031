package natslog

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// bridge hands the embedded server's log to slog: its chatter at debug, its trouble as such.
type bridge struct {
	logger *slog.Logger
	broken func(error) // told when the server says that it cannot store

	mu      sync.Mutex // guards trouble
	trouble string     // newest warning or error since reset
}

func (b *bridge) Noticef(format string, v ...any) { b.say(slog.LevelDebug, format, v) }
func (b *bridge) Debugf(format string, v ...any)  { b.say(slog.LevelDebug, format, v) }
func (b *bridge) Tracef(format string, v ...any)  { b.say(slog.LevelDebug, format, v) }
func (b *bridge) Warnf(format string, v ...any)   { b.say(slog.LevelWarn, format, v) }
func (b *bridge) Errorf(format string, v ...any)  { b.say(slog.LevelError, format, v) }
func (b *bridge) Fatalf(format string, v ...any)  { b.say(slog.LevelError, format, v) }

func (b *bridge) say(level slog.Level, format string, v []any) {
	text := strings.TrimSpace(fmt.Sprintf(format, v...))
	if usual(text) {
		level = slog.LevelDebug
	}
	b.logger.Log(context.Background(), level, "embedded log server", "says", text)
	if level == slog.LevelDebug {
		return
	}
	b.mu.Lock()
	b.trouble = text
	b.mu.Unlock()
	if level == slog.LevelError && (strings.Contains(text, "JetStream") || strings.Contains(text, "write error")) {
		b.broken(fmt.Errorf("embedded server: %s", text))
	}
}

// usual says whether a warning is no more than what follows every kill of the process: the index is
// older than the events, and is made anew from them. What is damage is found by comparison.
func usual(text string) bool {
	return strings.Contains(text, "last block has additional entries, will rebuild") ||
		strings.Contains(text, "found extra blocks, will rebuild") ||
		strings.Contains(text, "prior state file")
}

func (b *bridge) reset() {
	b.mu.Lock()
	b.trouble = ""
	b.mu.Unlock()
}

// last returns the newest warning or error since the server was started, or "".
func (b *bridge) last() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trouble
}
