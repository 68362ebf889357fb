package queue

import (
	"context"
	"fmt"
)

// checkLogs checks all logs of a queue in PostgreSQL, one after the other.
func checkLogs(ctx context.Context, s Settings) (all Report, err error) {
	all.Problems = []string{}
	q := newQueue(s, s.logs())
	defer q.cancel()
	if q.servers, err = newServers(s.servers()); err != nil {
		return all, err
	}
	found, err := q.survey(ctx)
	if err == nil {
		err = found.err // of a server that does not answer
	}
	if err != nil {
		return all, err
	}
	now := found.current()
	if number := found.firstMissing(now); number >= 0 {
		return all, missing(number)
	}
	if found.logs[0] == nil {
		return all, errNoQueue
	}
	for number, f := range found.logs[:now.existing] {
		c := newChecker(ctx, s)
		if err := c.checkPostgres(f.server, number); err != nil {
			if now.existing > 1 {
				err = fmt.Errorf("log %d: %w", number, err)
			}
			return all, err
		}
		if f.epoch < now.epoch {
			c.add("the layout is %d, but that of the queue is %d; a gateway that runs mends it", f.epoch, now.epoch)
		}
		all.Events += c.report.Events
		all.Bytes += c.report.Bytes
		for _, problem := range c.report.Problems {
			if now.existing > 1 {
				problem = fmt.Sprintf("log %d: %s", number, problem)
			}
			all.Problems = append(all.Problems, problem)
		}
	}
	return all, nil
}
