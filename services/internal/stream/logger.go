package stream

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// serverLog is the embedded server's logger. It hands lines on to slog and remembers the first fatal one: telling its
// logger is the only way in which the server says why it could not start.
type serverLog struct {
	log   *slog.Logger // nil: nobody listens
	fatal atomic.Pointer[error]
}

func (l *serverLog) failure() error {
	if err := l.fatal.Load(); err != nil {
		return *err
	}
	return nil
}

func (l *serverLog) write(level slog.Level, format string, v []any) {
	if l.log != nil {
		l.log.Log(context.Background(), level, fmt.Sprintf(format, v...), "part", "nats-server")
	}
}

// Noticef: the server's notices are many and of no use to people who run a laptop.
func (l *serverLog) Noticef(format string, v ...any) { l.write(slog.LevelDebug, format, v) }

// Warnf hands a warning on.
func (l *serverLog) Warnf(format string, v ...any) { l.write(slog.LevelWarn, format, v) }

// Errorf hands an error on.
func (l *serverLog) Errorf(format string, v ...any) { l.write(slog.LevelError, format, v) }

// Fatalf must not end the process, which runs more than this server: Embed returns the error instead.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.write(slog.LevelError, format, v)
	err := fmt.Errorf(format, v...)
	l.fatal.CompareAndSwap(nil, &err)
}

// Debugf and Tracef are never switched on.
func (l *serverLog) Debugf(string, ...any) {}

// Tracef is never switched on.
func (l *serverLog) Tracef(string, ...any) {}
