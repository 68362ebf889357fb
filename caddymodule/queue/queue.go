package queue

import (
	"context"
	"errors"
	"sync"
)

// Queue is an open queue of one or more logs. Its methods may be called from any
// goroutine.
type Queue struct {
	*common
	settings Settings
	servers  []*server // of PostgreSQL, as configured

	mu          sync.Mutex
	generations []*Generation // that have not been stopped
}

// Open opens a queue. An error means that the queue cannot be used. A PostgreSQL
// server that does not answer is not an error: the queue keeps trying, and accepts no
// events until it succeeds.
func Open(ctx context.Context, s Settings) (*Queue, error) {
	q := &Queue{common: newCommon(s.logs()), settings: s}
	if s.Engine != PostgreSQL {
		l, err := newLog(ctx, s, 0, nil, q.common)
		if err != nil {
			return nil, err
		}
		q.common.logs.Store(&[]*eventLog{l})
		return q, nil
	}
	var err error
	if q.servers, err = newServers(s.servers()); err != nil {
		return nil, err
	}
	n := s.logs()
	var logs []*eventLog
	for i := range n {
		if i > 0 {
			err = q.servers[0].createSchema(ctx, i)
		}
		var l *eventLog
		if err == nil {
			l, err = newLog(ctx, s, i, q.servers[0], q.common)
		}
		if err != nil {
			return nil, errors.Join(err, closeLogs(logs))
		}
		logs = append(logs, l)
	}
	q.common.logs.Store(&logs)
	q.common.layout.Store(&layout{logs: n, total: n})
	return q, nil
}

// layout returns the layout as this gateway knows it.
func (q *Queue) layout() *layout { return q.common.layout.Load() }

// logs returns all logs of the queue, by number.
func (q *Queue) logs() []*eventLog { return *q.common.logs.Load() }

// Close closes the queue. All generations must have been stopped. A second call does
// nothing.
func (q *Queue) Close() error { return closeLogs(q.logs()) }

// closeLogs closes logs, all at the same time: a server that does not answer must not
// hold up the others.
func closeLogs(logs []*eventLog) error {
	errs := make([]error, len(logs))
	each(logs, func(i int, l *eventLog) { errs[i] = l.close() })
	return errors.Join(errs...)
}

// each calls f for all elements at the same time, and waits. A single one costs no
// goroutine.
func each[T any](all []T, f func(i int, one T)) {
	if len(all) == 1 {
		f(0, all[0])
		return
	}
	var wg sync.WaitGroup
	for i, one := range all {
		wg.Go(func() { f(i, one) })
	}
	wg.Wait()
}
