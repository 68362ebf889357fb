// Package sampled logs lines of which there may be very many.
package sampled

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// linesPerSecond is the number of lines of one kind that are logged in a second.
// The others are counted, so that neither junk nor a destination that is down can
// flood the log.
const linesPerSecond = 10

// Kind is what lines have in common that are sampled together.
type Kind interface {
	comparable

	// Fields returns the fields that name the kind. They begin each of its lines, and
	// the line that counts the lines left out.
	Fields() []zap.Field
}

// Log logs lines, sampled by their kind. Make one with New.
type Log[K Kind] struct {
	logger  *zap.Logger
	level   zapcore.Level
	message string // of a line
	more    string // of the line that counts those left out

	mu      sync.Mutex
	windows map[K]*window
	stopped bool
}

// window counts the lines of one kind within a second.
type window struct {
	logged     int
	suppressed int
	end        *time.Timer
}

// New returns a log whose lines have a level and a message; more is the message of the
// line that counts those left out within a second.
func New[K Kind](logger *zap.Logger, level zapcore.Level, message, more string) *Log[K] {
	return &Log[K]{logger: logger, level: level, message: message, more: more, windows: make(map[K]*window)}
}

// Log logs one line, or counts it.
func (l *Log[K]) Log(kind K, fields ...zap.Field) {
	if l.take(kind) {
		l.logger.Log(l.level, l.message, append(kind.Fields(), fields...)...)
	}
}

// take reports whether a line of this kind may be logged now.
func (l *Log[K]) take(kind K) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[kind]
	if w == nil {
		w = new(window)
		l.windows[kind] = w
		if !l.stopped { // after Stop, one window takes everything
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

// close ends the second of a kind and logs how many lines were left out.
func (l *Log[K]) close(kind K) {
	l.mu.Lock()
	w := l.windows[kind]
	delete(l.windows, kind)
	l.mu.Unlock()
	if w != nil {
		l.summarize(kind, w)
	}
}

func (l *Log[K]) summarize(kind K, w *window) {
	if w.suppressed > 0 {
		l.logger.Log(l.level, l.more, append(kind.Fields(), zap.Int("count", w.suppressed))...)
	}
}

// Stop ends all timers and logs how many lines were left out.
func (l *Log[K]) Stop() {
	l.mu.Lock()
	windows := l.windows
	l.windows, l.stopped = make(map[K]*window), true
	l.mu.Unlock()
	for kind, w := range windows {
		if w.end != nil {
			w.end.Stop()
		}
		l.summarize(kind, w)
	}
}
