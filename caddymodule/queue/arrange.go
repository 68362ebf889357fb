package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// arrange brings the queue to the number of logs that it is to have, if that is for this
// gateway to do, and this gateway to the layout of the queue. settled reports that there
// is nothing left to wait for.
func (q *Queue) arrange(ctx context.Context) (settled bool, err error) {
	s, err := q.survey(ctx)
	if err != nil {
		return false, err
	}
	s, changing := q.change(ctx, s)
	if err = q.adopt(ctx, s); err != nil {
		return false, err
	}
	now := s.current()
	switch {
	case changing != nil:
		return false, changing
	case s.err != nil:
		return false, fmt.Errorf("a server does not answer, and those that do are in use without it: %w", s.err)
	case s.firstMissing(now) >= 0:
		return false, missing(s.firstMissing(now))
	}
	q.opening = false
	return s.isSettled(now), nil
}

// adopt opens the logs of the queue that are not open yet, has the current generations use
// them, and stores events by the layout from then on.
func (q *Queue) adopt(ctx context.Context, s *survey) error {
	now := s.current()
	logs := slices.Clone(q.logs())
	for number, l := range logs {
		if at := s.serverOf(number); at != nil {
			l.store.server.CompareAndSwap(nil, at)
		}
	}
	before := len(logs)
	for number := before; number < now.existing; number++ {
		l, err := newLog(ctx, q.settings, number, s.serverOf(number), q.common)
		if err != nil {
			return fmt.Errorf("log %d: %w", number, errors.Join(err, closeLogs(logs[before:])))
		}
		logs = append(logs, l)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.common.logs.Store(&logs)
	for _, g := range q.generations {
		g.use(logs[before:])
	}
	q.common.layout.Store(s.layout(now))
	return nil
}

// serverOf returns the server that has a log, nil if none does that answered. Log 0 of a
// new queue is to be created at the first one.
func (s *survey) serverOf(number int) *server {
	switch {
	case s.logs[number] != nil:
		return s.logs[number].server
	case number == 0 && s.sites[0].err == nil:
		return s.sites[0].server
	}
	return nil
}

// change switches layouts until the queue has the right one. It returns what the servers
// have then.
func (q *Queue) change(ctx context.Context, s *survey) (*survey, error) {
	for q.next(s) != nil {
		if s.err != nil {
			return s, fmt.Errorf("the number of logs cannot change before all servers answer: %w", s.err)
		}
		if err := q.step(ctx); err != nil {
			return s, err
		}
		after, err := q.survey(ctx)
		if err != nil {
			return s, err
		}
		s = after
	}
	return s, nil
}

// step completes the next layout, unless another gateway is about to.
func (q *Queue) step(ctx context.Context) error {
	unlock, err := q.lockLayout(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := q.survey(ctx)
	if err != nil {
		return err
	}
	row := q.next(s)
	if row == nil {
		return nil
	}
	if s.err != nil {
		return s.err
	}
	return q.switchTo(ctx, s, *row)
}

// next returns the layout that the queue must complete, nil if it has the right one.
func (q *Queue) next(s *survey) *layoutRow {
	now := s.current()
	if p := s.pending(); p != nil {
		return p
	}
	if s.isBehind(now) {
		return &now
	}
	if s.logs[0] == nil && s.sites[0].err != nil {
		return nil
	}
	n := q.count(s, now.logs)
	if needed := s.needed(n); n != now.logs || q.opening && needed < now.existing {
		return &layoutRow{epoch: now.epoch + 1, logs: n, existing: needed, servers: len(q.servers)}
	}
	return nil
}

// count returns the number of logs that the queue is to have, which has n now: the greatest
// that a gateway is configured with. Only a gateway that opens the queue lowers it, so that
// the end of one gateway alone changes nothing.
func (q *Queue) count(s *survey, n int) int {
	most := q.wanted
	if s.logs[0] != nil {
		for _, other := range s.logs[0].gateways {
			most = max(most, other)
		}
	}
	if q.opening {
		return max(q.wanted, min(n, most))
	}
	return max(n, q.wanted)
}

// errSwitching means that another gateway is changing the number of logs.
var errSwitching = fmt.Errorf("%w: another gateway is changing the number of logs", ErrUnavailable)

// lockLayout keeps other gateways from changing the layout until unlock is called. If this
// gateway hangs, the server ends the lock.
func (q *Queue) lockLayout(ctx context.Context) (unlock func(), err error) {
	conn, err := q.servers[0].connect(ctx)
	if err != nil {
		return nil, err
	}
	unlock = func() { closeConn(conn) }
	locked := false
	if _, err = conn.Exec(ctx, `BEGIN`); err == nil {
		err = conn.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(7310019, hashtext(current_schema()))`).Scan(&locked)
	}
	if err == nil && !locked {
		err = errSwitching
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// closeConn closes a connection, which a server that hangs must not hold up.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
