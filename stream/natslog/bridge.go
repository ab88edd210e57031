package natslog

import (
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
func (b *bridge) Warnf(format string, v ...any)   { b.note(slog.LevelWarn, format, v) }
func (b *bridge) Errorf(format string, v ...any)  { b.note(slog.LevelError, format, v) }
func (b *bridge) Fatalf(format string, v ...any)  { b.note(slog.LevelError, format, v) }

func (b *bridge) say(level slog.Level, format string, v []any) string {
	text := strings.TrimSpace(fmt.Sprintf(format, v...))
	b.logger.Log(nil, level, "embedded log server", "says", text)
	return text
}

func (b *bridge) note(level slog.Level, format string, v []any) {
	text := b.say(level, format, v)
	b.mu.Lock()
	b.trouble = text
	b.mu.Unlock()
	if level == slog.LevelError && strings.Contains(text, "JetStream") {
		b.broken(fmt.Errorf("embedded server: %s", text))
	}
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
