package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// finished is an attempt that has ended.
type finished struct {
	d      *delivery
	result Result
	begun  time.Time
	took   time.Duration
	cut    bool // short, by a reload, a shutdown or a lost lease
	isUp   bool // the first to reach the destination after it was down
	streak int  // of failures that shows the destination to be down, 0 if this attempt does not
}

// finishMore finishes all attempts that have ended by now.
func (w *worker) finishMore() {
	for {
		select {
		case f := <-w.finished:
			w.finish(f)
		default:
			return
		}
	}
}

// errUsedUp is the error of a dead letter whose last attempt has no result.
var errUsedUp = errors.New("no attempts left: the gateway crashed during the last one, or `attempts` was lowered")

// die makes an event a dead letter without another attempt.
func (w *worker) die(d *delivery, result Result) {
	w.put(d, stateDead, w.q.now(), result)
	w.drop(d)
	w.observe(finished{d: d, result: result}, OutcomeDead, time.Time{})
}

// begin begins attempts that are written as running.
func (w *worker) begin(t target, now time.Time) {
	for len(w.ready) > 0 && !w.paused && w.yieldBy.IsZero() && !w.pausing.Load() && t.generation.begin() {
		token := w.pool.take(w, t.Concurrency, now)
		if token == nil {
			t.generation.end()
			return
		}
		d := w.ready[0]
		w.ready = w.ready[1:]
		d.running = true
		d.begun = now
		w.lastBegun = max(w.lastBegun, d.Seq)
		w.running++
		go w.attempt(t, d, w.contribution, token)
	}
	w.pool.pass(w)
}

// attempt makes one attempt. It ends with the worker's tenure, and with the one whose
// token it uses.
func (w *worker) attempt(t target, d *delivery, own, token *contribution) {
	defer t.generation.end()
	ctx, cancel := context.WithCancelCause(t.generation.ctx)
	defer cancel(nil)
	defer context.AfterFunc(own.revoked, func() { cancel(errLost) })()
	if token != own {
		defer context.AfterFunc(token.revoked, func() { cancel(errLost) })()
	}
	ctx, stop := context.WithTimeout(ctx, t.Timeout)
	defer stop()

	log, begun := w.q.log(), w.q.now()
	if line := log.Check(zapcore.DebugLevel, "attempt begun"); line != nil {
		line.Write(zap.String("destination", w.name), zap.Stringer("id", d.Key), zap.Int("attempt", d.attempts))
	}
	result := deliver(ctx, t.Destination, &Delivery{Event: d.Event, Attempt: d.attempts, Replay: d.Replay}, log)
	f := finished{d: d, result: result, begun: begun, took: w.q.now().Sub(begun)}
	if line := log.Check(zapcore.DebugLevel, "attempt ended"); line != nil {
		line.Write(zap.String("destination", w.name), zap.Stringer("id", d.Key), zap.Int("attempt", d.attempts),
			zap.Int("status", result.Status), zap.Duration("took", f.took))
	}
	f.cut = !result.isSuccess() && (t.generation.ctx.Err() != nil || own.revoked.Err() != nil || token.revoked.Err() != nil)
	if !f.cut && !result.isSuccess() && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		f.result.Err = fmt.Errorf("no answer within %s", t.Timeout)
	}
	w.pool.note(w, &f, t.Backoff)
	w.pool.give(token)
	w.finished <- f
}

// deliver calls the destination. A panic is a failed attempt.
func deliver(ctx context.Context, to *Destination, d *Delivery, log *zap.Logger) (result Result) {
	defer func() {
		if p := recover(); p != nil {
			// Its value may hold a body or a token.
			result = Result{Err: fmt.Errorf("handler panicked with a value of type %T", p)}
			log.Error("handler panicked", zap.String("destination", to.Name), zap.Stack("stack"))
		}
	}()
	if d.Request != nil && d.Request.err != nil {
		return Result{Err: d.Request.err}
	}
	return to.Deliver(ctx, d)
}

// finish decides the outcome of an attempt.
func (w *worker) finish(f finished) {
	w.running--
	t := w.current()
	now := w.q.now()
	d := f.d
	d.running = false
	if f.cut {
		// It may have arrived, so the attempt counts; but the destination has not failed.
		if d.attempts >= t.Attempts {
			f.result.Err = errors.New("the gateway stopped during the last attempt")
			w.note(f, OutcomeDead, now)
			w.put(d, stateDead, now, f.result)
			w.drop(d)
			w.nextInLane(t, d)
			return
		}
		w.note(f, OutcomeHandedBack, now)
		w.fail(t, d, now, f.result)
		return
	}
	outcome, delay := decide(f.result, d.attempts, t.Attempts, t.Backoff, now)
	due := now.Add(delay)
	w.note(f, outcome, due)
	w.reportHealth(f)
	w.followHealth(now)
	switch outcome {
	case OutcomeDelivered:
		w.settle(d)
		w.nextInLane(t, d)
	case OutcomeDead:
		w.put(d, stateDead, now, f.result)
		w.drop(d)
		w.nextInLane(t, d)
	case OutcomeRetrying:
		w.fail(t, d, due, f.result)
	}
}

// fail schedules another attempt and parks the later events of its key.
func (w *worker) fail(t target, d *delivery, due time.Time, result Result) {
	w.put(d, stateRetry, due, result)
	w.drop(d)
	w.nextDue = earlier(w.nextDue, due)
	if !t.Ordered || d.PartitionKey == "" || d.Replay {
		return
	}
	w.park(w.lane(d.PartitionKey))
}

// note records an attempt that has ended, and reports it to the observer.
func (w *worker) note(f finished, outcome Outcome, next time.Time) {
	w.record(f, outcome)
	w.latest.note(w.q.store, f, outcome)
	w.observe(f, outcome, next)
}

// observe reports an attempt to the observer.
func (w *worker) observe(f finished, outcome Outcome, next time.Time) {
	d := f.d.Delivery
	d.Attempt = f.d.attempts
	a := Attempt{Destination: w.name, Delivery: d, Result: f.result, Outcome: outcome, Took: f.took}
	if outcome == OutcomeRetrying {
		a.Next = next
	}
	w.current().generation.Observer.Attempted(a)
}
