package queue

import "context"

// Queue is an open queue of one or more logs. Its methods may be called from any
// goroutine.
type Queue struct {
	logs []*eventLog
}

// Open opens a queue. An error means that the queue cannot be used. A PostgreSQL
// server that does not answer is not an error: the queue keeps trying, and accepts no
// events until it succeeds.
func Open(ctx context.Context, s Settings) (*Queue, error) {
	l, err := newLog(ctx, s, 0, newCommon())
	if err != nil {
		return nil, err
	}
	return &Queue{logs: []*eventLog{l}}, nil
}

// Close closes the queue. All generations must have been stopped. A second call does
// nothing.
func (q *Queue) Close() error { return q.logs[0].close() }
