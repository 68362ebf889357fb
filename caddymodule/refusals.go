package caddymodule

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// refusalsPerSecond is how many lines of one reason are logged in a second;
// the others are counted, so that junk cannot flood the log.
const refusalsPerSecond = 10

// refusals logs refused requests, sampled by reason.
type refusals struct {
	logger *zap.Logger

	mu       sync.Mutex
	windows  map[outcome]*refusalWindow
	stopping bool
}

// refusalWindow counts the lines of one reason within a second.
type refusalWindow struct {
	logged     int
	suppressed int
	end        *time.Timer
}

func newRefusals(logger *zap.Logger) *refusals {
	return &refusals{logger: logger, windows: make(map[outcome]*refusalWindow)}
}

// log logs one refusal, or counts it.
func (r *refusals) log(reason outcome, fields ...zap.Field) {
	if !r.take(reason) {
		return
	}
	r.logger.Warn("webhook refused", append([]zap.Field{zap.String("reason", string(reason))}, fields...)...)
}

// take reports whether a line of this reason may be logged now.
func (r *refusals) take(reason outcome) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.windows[reason]
	if w == nil {
		w = new(refusalWindow)
		r.windows[reason] = w
		if !r.stopping { // what comes after that gets one window for all
			w.end = time.AfterFunc(time.Second, func() { r.close(reason) })
		}
	}
	if w.logged < refusalsPerSecond {
		w.logged++
		return true
	}
	w.suppressed++
	return false
}

// close ends the second of a reason and logs what was left out.
func (r *refusals) close(reason outcome) {
	r.mu.Lock()
	w := r.windows[reason]
	delete(r.windows, reason)
	r.mu.Unlock()
	if w != nil {
		r.summarize(reason, w)
	}
}

func (r *refusals) summarize(reason outcome, w *refusalWindow) {
	if w.suppressed > 0 {
		r.logger.Warn("more webhooks refused",
			zap.String("reason", string(reason)),
			zap.Int("count", w.suppressed))
	}
}

// stop ends all timers and logs what was left out.
func (r *refusals) stop() {
	r.mu.Lock()
	windows := r.windows
	r.windows, r.stopping = make(map[outcome]*refusalWindow), true
	r.mu.Unlock()
	for reason, w := range windows {
		w.end.Stop()
		r.summarize(reason, w)
	}
}
