package caddymodule

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// linesPerSecond is how many lines of one kind are logged in a second; the
// others are counted, so that junk, or a destination that is down, cannot flood
// the log.
const linesPerSecond = 10

// sampledLog logs warnings, sampled by their kind.
type sampledLog struct {
	logger  *zap.Logger
	message string // of a line
	more    string // of the count of those that were left out
	kind    string // names the kind in both

	mu       sync.Mutex
	windows  map[string]*logWindow
	stopping bool
}

// logWindow counts the lines of one kind within a second.
type logWindow struct {
	logged     int
	suppressed int
	end        *time.Timer
}

func newSampledLog(logger *zap.Logger, message, more, kind string) *sampledLog {
	return &sampledLog{logger: logger, message: message, more: more, kind: kind, windows: make(map[string]*logWindow)}
}

// log logs one line, or counts it.
func (l *sampledLog) log(kind string, fields ...zap.Field) {
	if !l.take(kind) {
		return
	}
	l.logger.Warn(l.message, append([]zap.Field{zap.String(l.kind, kind)}, fields...)...)
}

// take reports whether a line of this kind may be logged now.
func (l *sampledLog) take(kind string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[kind]
	if w == nil {
		w = new(logWindow)
		l.windows[kind] = w
		if !l.stopping { // what comes after that gets one window for all
			w.end = time.AfterFunc(time.Second, func() { l.close(kind) })
		}
	}
	if w.logged < linesPerSecond {
		w.logged++
		return true
	}
	w.suppressed++
	return false
}

// close ends the second of a kind and logs what was left out.
func (l *sampledLog) close(kind string) {
	l.mu.Lock()
	w := l.windows[kind]
	delete(l.windows, kind)
	l.mu.Unlock()
	if w != nil {
		l.summarize(kind, w)
	}
}

func (l *sampledLog) summarize(kind string, w *logWindow) {
	if w.suppressed > 0 {
		l.logger.Warn(l.more, zap.String(l.kind, kind), zap.Int("count", w.suppressed))
	}
}

// stop ends all timers and logs what was left out.
func (l *sampledLog) stop() {
	l.mu.Lock()
	windows := l.windows
	l.windows, l.stopping = make(map[string]*logWindow), true
	l.mu.Unlock()
	for kind, w := range windows {
		w.end.Stop()
		l.summarize(kind, w)
	}
}
