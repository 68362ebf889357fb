package queue

import (
	"context"
	"errors"
	"strconv"
)

// LogError is an error of some logs of a queue that has several.
type LogError struct {
	Logs []int // their numbers, at least one
	Err  error // of the first of them
}

// Names names the logs, such as "log 2" or "logs 1, 2".
func (e *LogError) Names() string {
	names := "log "
	if len(e.Logs) > 1 {
		names = "logs "
	}
	for i, number := range e.Logs {
		if i > 0 {
			names += ", "
		}
		names += strconv.Itoa(number)
	}
	return names
}

// Error implements error.
func (e *LogError) Error() string { return e.Names() + ": " + e.Err.Error() }

// Unwrap returns the error of the first log.
func (e *LogError) Unwrap() error { return e.Err }

// named adds the number of the log to an error, except to ErrUnknown: other logs may know.
func (q *eventLog) named(err error) error {
	if err == nil || isUnknown(err) {
		return err
	}
	return &LogError{[]int{q.number}, err}
}

func isUnknown(err error) bool { return errors.Is(err, ErrUnknown) }

// isUp reports whether the log's database answers: this gateway renews its lease there.
func (q *eventLog) isUp() bool { return q.isOpen() && q.currentEra() != nil }

// ask asks a log and gives up when its database does not answer any more: reads wait for
// readTimeout, which is too long while other logs answer.
func (q *eventLog) ask(ctx context.Context, question func(ctx context.Context) error) error {
	if !q.isOpen() {
		return errNotOpen
	}
	asking, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	if e := q.currentEra(); e != nil {
		defer context.AfterFunc(e, func() { giveUp(errNoEra) })()
	} else {
		var cancel context.CancelFunc
		asking, cancel = context.WithTimeoutCause(asking, renewTimeout, errNoEra)
		defer cancel()
	}
	err := question(asking)
	if err != nil && ctx.Err() == nil && asking.Err() != nil {
		return context.Cause(asking)
	}
	return err
}

// logAnswer is what a log has answered.
type logAnswer[T any] struct {
	log   *eventLog
	value T
	err   error // a LogError, unless the log is the only one or it does not know something
}

// ask asks all logs of a queue at the same time, and returns their answers in the order
// of the logs.
func ask[T any](ctx context.Context, q *Queue, question func(ctx context.Context, l *eventLog) (T, error)) []logAnswer[T] {
	logs := q.logs()
	answers := make([]logAnswer[T], len(logs))
	each(logs, func(i int, l *eventLog) {
		a := &answers[i]
		a.log = l
		if len(logs) == 1 {
			a.value, a.err = question(ctx, l)
			return
		}
		a.err = l.named(l.ask(ctx, func(ctx context.Context) (err error) {
			a.value, err = question(ctx, l)
			return err
		}))
	})
	return answers
}

// askAll is ask for what all logs have to answer. A log that does not know what others
// know has no answer.
func askAll[T any](ctx context.Context, q *Queue, question func(ctx context.Context, l *eventLog) (T, error)) ([]T, error) {
	answers := ask(ctx, q, question)
	if err := failure(answers); err != nil {
		return nil, err
	}
	var values []T
	var unknown error
	for _, a := range answers {
		if a.err != nil {
			unknown = a.err
			continue
		}
		values = append(values, a.value)
	}
	if len(values) == 0 {
		return nil, unknown
	}
	return values, nil
}

// askAny is ask for what any log may know: ErrUnknown if none does, and an error of a
// log that does not answer if it might.
func askAny[T any](ctx context.Context, q *Queue, question func(ctx context.Context, l *eventLog) (T, error)) ([]T, error) {
	answers := ask(ctx, q, question)
	var values []T
	for _, a := range answers {
		if a.err == nil {
			values = append(values, a.value)
		}
	}
	if len(values) > 0 {
		return values, nil
	}
	if err := failure(answers); err != nil {
		return nil, err
	}
	return nil, answers[0].err
}

// failure returns the first error that is not ErrUnknown.
func failure[T any](answers []logAnswer[T]) error {
	for _, a := range answers {
		if a.err != nil && !isUnknown(a.err) {
			return a.err
		}
	}
	return nil
}
