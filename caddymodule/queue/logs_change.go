package queue

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// Replay schedules events to be delivered again to the destinations that take them, and
// returns the number of deliveries. Events that wait for a retry are tried at once.
// Events that still wait for their first attempt, or that come in meanwhile, are
// unaffected and not counted. So are destinations that have left the configuration,
// unless one is named.
//
// Of several logs, those that have the events with Keys need to answer, and any other
// selection needs all: otherwise, Replay returns ErrUnavailable and changes nothing. Each
// log replays all of its Keys or none. If a log fails later, the others keep what they
// have done.
func (q *Queue) Replay(ctx context.Context, s Selection) (int64, error) {
	logs := q.logs()
	if len(logs) == 1 {
		return logs[0].Replay(ctx, s)
	}
	if s.Dead || s.Search != nil || len(s.Keys) == 0 {
		return q.changeAll(ctx, s, (*eventLog).Replay)
	}
	found, err := q.locate(ctx, s.uniqueKeys(), (*eventLog).receivedLast, errNotStored)
	if err != nil {
		return 0, err
	}
	for i := range found { // as in one log, the last event of a key
		found[i].in = []located{slices.MaxFunc(found[i].in, func(a, b located) int { return cmp.Compare(a.received, b.received) })}
	}
	return changeIn(ctx, s, found, (*eventLog).Replay)
}

// Discard removes dead letters and returns their number. It needs the same logs as
// Replay. Each log removes all of its Keys or none.
func (q *Queue) Discard(ctx context.Context, s Selection) (int64, error) {
	logs := q.logs()
	if len(logs) == 1 {
		return logs[0].Discard(ctx, s)
	}
	if s.Dead {
		return q.changeAll(ctx, s, (*eventLog).Discard)
	}
	found, err := q.locate(ctx, s.uniqueKeys(), func(l *eventLog, ctx context.Context, key envelope.Key) (int64, error) {
		return l.countDead(ctx, key, s.Destination)
	}, errNotDead)
	if err != nil {
		return 0, err
	}
	return changeIn(ctx, s, found, (*eventLog).Discard)
}

// locatedKey is a key and the logs that have it.
type locatedKey struct {
	key envelope.Key
	in  []located
}

// located is a log with an event, and when that came in, by the server's clock.
type located struct {
	log      *eventLog
	received int64
}

// locate finds the logs that have some keys. look returns ErrUnknown for a key that its
// log does not have. A key that no log has is unknown, unless a log does not answer.
func (q *Queue) locate(ctx context.Context, keys []envelope.Key, look func(l *eventLog, ctx context.Context, key envelope.Key) (int64, error), unknown func(envelope.Key) error) ([]locatedKey, error) {
	answers := ask(ctx, q, func(ctx context.Context, l *eventLog) (map[envelope.Key]int64, error) {
		found := make(map[envelope.Key]int64)
		for _, key := range keys {
			received, err := look(l, ctx, key)
			if err == nil {
				found[key] = received
			} else if !isUnknown(err) {
				return nil, err
			}
		}
		return found, nil
	})
	all := make([]locatedKey, len(keys))
	for i, key := range keys {
		all[i].key = key
		for _, a := range answers {
			if received, ok := a.value[key]; ok {
				all[i].in = append(all[i].in, located{a.log, received})
			}
		}
		if len(all[i].in) == 0 {
			return nil, cmp.Or(failure(answers), unknown(key))
		}
	}
	return all, nil
}

// changing is Replay or Discard of a log.
type changing func(l *eventLog, ctx context.Context, s Selection) (int64, error)

// changeAll makes a change in all logs, after each of them has answered.
func (q *Queue) changeAll(ctx context.Context, s Selection, change changing) (int64, error) {
	if _, err := askAll(ctx, q, func(ctx context.Context, l *eventLog) (struct{}, error) { return struct{}{}, l.checkUp(ctx) }); err != nil {
		return 0, err
	}
	parts := make(map[*eventLog]Selection)
	for _, l := range q.logs() {
		parts[l] = s
	}
	return changeLogs(ctx, s, parts, change)
}

// checkUp returns an error if the log's database does not answer, or if this gateway has
// no lease there.
func (q *eventLog) checkUp(ctx context.Context) error {
	if q.isOpen() && q.currentEra() == nil {
		return errNoEra
	}
	return q.query(ctx, `SELECT last FROM webhooks_queue WHERE id = 1`, nil, func(*sql.Rows) error { return nil })
}

// changeIn makes a change for keys in the logs that have them.
func changeIn(ctx context.Context, s Selection, found []locatedKey, change changing) (int64, error) {
	parts := make(map[*eventLog]Selection)
	for _, k := range found {
		for _, in := range k.in {
			part, ok := parts[in.log]
			if !ok {
				part = s
				part.Keys = nil
			}
			part.Keys = append(part.Keys, k.key)
			parts[in.log] = part
		}
	}
	return changeLogs(ctx, s, parts, change)
}

// changeLogs makes the part of a change in each log, all at the same time. The first
// error ends the others.
func changeLogs(ctx context.Context, s Selection, parts map[*eventLog]Selection, change changing) (total int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var unknown error
	done := 0
	var wg sync.WaitGroup
	for l, part := range parts {
		had := int64(0)
		note := func(n int64) { // with mu held
			total += n - had
			had = n
		}
		part.Progress = func(n int64) {
			mu.Lock()
			defer mu.Unlock()
			note(n)
			s.report(total)
		}
		wg.Go(func() {
			var n int64
			failed := l.named(l.ask(ctx, func(ctx context.Context) (err error) {
				n, err = change(l, ctx, part)
				return err
			}))
			mu.Lock()
			defer mu.Unlock()
			note(max(n, had))
			switch {
			case failed == nil:
				done++
			case isUnknown(failed):
				unknown = failed
			case err == nil:
				err = failed
				cancel()
			}
		})
	}
	wg.Wait()
	if err == nil && done == 0 {
		err = unknown // no log knows it
	}
	return total, err
}

// Forget discards a destination that has left the configuration, and returns the number
// of deliveries that are lost with it, dead letters included. It returns ErrConfigured
// while a configuration has the name, and changes nothing unless all logs answer.
func (q *Queue) Forget(ctx context.Context, name string) (int64, error) {
	logs := q.logs()
	if len(logs) == 1 {
		return logs[0].Forget(ctx, name)
	}
	answers := q.askStatus(ctx)
	if err := failure(answers); err != nil {
		return 0, err
	}
	for _, a := range answers {
		if slices.ContainsFunc(a.value, func(s DestinationStatus) bool { return s.Destination == name && s.Configured }) {
			return 0, errConfigured(name)
		}
	}
	var total int64
	parts, err := askAll(ctx, q, func(ctx context.Context, l *eventLog) (int64, error) { return l.Forget(ctx, name) })
	for _, n := range parts {
		total += n
	}
	return total, err
}

// Pause stops delivery to a destination until Resume, across restarts. An error names the
// logs in which it has failed.
func (q *Queue) Pause(ctx context.Context, name string) error {
	return q.setPaused(ctx, name, (*eventLog).Pause)
}

// Resume ends a Pause. An error names the logs in which it has failed.
func (q *Queue) Resume(ctx context.Context, name string) error {
	return q.setPaused(ctx, name, (*eventLog).Resume)
}

// setPaused pauses or resumes a destination in all logs that know it.
func (q *Queue) setPaused(ctx context.Context, name string, set func(l *eventLog, ctx context.Context, name string) error) error {
	answers := ask(ctx, q, func(ctx context.Context, l *eventLog) (struct{}, error) { return struct{}{}, set(l, ctx, name) })
	if len(answers) == 1 {
		return answers[0].err
	}
	failed := new(LogError)
	var unknown error
	known := false
	for _, a := range answers {
		switch {
		case a.err == nil:
			known = true
		case isUnknown(a.err):
			unknown = a.err
		default:
			failed.Logs = append(failed.Logs, a.log.number)
			failed.Err = cmp.Or(failed.Err, errors.Unwrap(a.err))
		}
	}
	switch {
	case failed.Err != nil:
		return failed
	case !known:
		return unknown
	}
	return nil
}
