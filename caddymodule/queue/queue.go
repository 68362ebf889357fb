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

	// What follows belongs to the goroutine that arranges the logs.
	opening   bool   // no layout has been found to be right since the queue was opened
	complaint string // the last error that was logged

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu          sync.Mutex
	generations []*Generation // that have not been stopped
}

// Open opens a queue. An error means that the queue cannot be used. A PostgreSQL
// server that does not answer is not an error: the queue keeps trying, and accepts no
// events for its logs until it succeeds.
func Open(ctx context.Context, s Settings) (*Queue, error) {
	q := newQueue(s, s.logs())
	var err error
	if s.Engine == PostgreSQL {
		err = q.openServers(ctx)
	} else {
		err = q.openFirst(ctx, nil)
	}
	if err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return q, nil
}

// newQueue returns a queue whose logs are still to be opened.
func newQueue(s Settings, wanted int) *Queue {
	q := &Queue{common: newCommon(wanted), settings: s, opening: true}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	return q
}

// openServers opens the logs at all servers. With one server and one log, it asks no more
// than whether there were ever more, unless the queue is new.
func (q *Queue) openServers(ctx context.Context) (err error) {
	if q.servers, err = newServers(q.settings.servers()); err != nil {
		return err
	}
	if len(q.servers) == 1 && q.wanted == 1 {
		if err = q.openFirst(ctx, q.servers[0]); err != nil {
			return err
		}
		first := q.logs()[0]
		if !first.isOpen() || first.lastEra().epoch == 0 && first.head() > 0 {
			q.opening = !first.isOpen()
			q.wg.Go(q.keepLayout)
			return nil
		}
	}
	settled, err := q.arrange(ctx)
	if err != nil && !isTemporary(err) {
		return err
	}
	q.complain(err)
	if len(q.logs()) == 0 {
		if err := q.openFirst(ctx, nil); err != nil {
			return err
		}
	}
	if !settled {
		q.kick()
	}
	q.wg.Go(q.keepLayout)
	return nil
}

// openFirst opens log 0 at a server, or at one that is found later.
func (q *Queue) openFirst(ctx context.Context, at *server) error {
	l, err := newLog(ctx, q.settings, 0, at, q.common)
	if err == nil {
		q.common.logs.Store(&[]*eventLog{l})
	}
	return err
}

// layout returns the layout as this gateway knows it.
func (q *Queue) layout() *layout { return q.common.layout.Load() }

// logs returns all logs of the queue, by number.
func (q *Queue) logs() []*eventLog { return *q.common.logs.Load() }

// Close closes the queue. All generations must have been stopped. A second call does
// nothing.
func (q *Queue) Close() error {
	q.cancel()
	q.wg.Wait()
	return closeLogs(q.logs())
}

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
