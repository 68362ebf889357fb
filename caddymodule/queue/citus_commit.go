package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Citus refuses statements that change several tables, or takes long to plan them. Here
// each statement changes one table, and all are sent together, between a BEGIN and a
// COMMIT: Citus does not see by itself that they belong together, and would commit each.

// queueDistributed adds a commit to a batch, as one transaction. Progress comes before
// events, whose counter makes other gateways wait.
func (s *store) queueDistributed(batch *pgx.Batch, c *commit, now time.Time, result *stored) {
	batch.Queue(`BEGIN`)
	s.queueDistributedProgress(batch, c.progress, now)
	s.queuePlaces(batch, c, now, result)
	s.queueDistributedEvents(batch, c, now, result)
	s.queueDuplicates(batch, c.duplicates)
	if batch.Len() == 1 {
		*batch = pgx.Batch{}
		return
	}
	batch.Queue(`COMMIT`)
}

// failed ends the transaction of a batch that has failed, and wraps the error in
// errCommit if it may be committed all the same. Citus warns before it reports that a
// node did not confirm a commit.
func (s *store) failed(ctx context.Context, conn *pgx.Conn, err error, warned bool) error {
	if !conn.IsClosed() && conn.PgConn().TxStatus() != 'I' {
		if _, ended := conn.Exec(ctx, `ROLLBACK`); ended != nil {
			return inDoubt(ended) // with the connection
		}
	}
	if s.isDistributed && warned {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	return inDoubt(err)
}

const (
	citusMove = `UPDATE webhooks_destinations dest SET position = p.position, begun = p.begun, holder = CASE WHEN p.release THEN '' ELSE dest.holder END,
		delivered = p.delivered, failed = p.failed, failed_since = p.failed_since, last_status = p.last_status, last_error = p.last_error
	FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[],
		$6::bigint[], $7::bigint[], $8::bigint[], $9::integer[], $10::text[])
		AS p (name, lease, position, begun, release, delivered, failed, failed_since, last_status, last_error)
	WHERE dest.name = p.name AND dest.lease = p.lease AND p.position <= (SELECT last FROM webhooks_queue WHERE id = 1)
	RETURNING dest.name, dest.paused`

	// citusMoved are the destinations that citusMove has changed, whose rows no other
	// transaction changes before the end of this one.
	citusMoved = `unnest($1::text[], $2::bigint[], $3::bigint[]) AS p (name, lease, position)
		JOIN webhooks_destinations moved ON moved.name = p.name AND moved.lease = p.lease AND moved.position = p.position`

	citusRemove = `DELETE FROM webhooks_deliveries d USING unnest($4::text[], $5::bigint[]) AS r (name, seq), ` + citusMoved + `
	WHERE moved.name = r.name AND d.seq = r.seq AND d.name = r.name`

	citusPut = `INSERT INTO webhooks_deliveries (seq, name, state, due, attempts, replay, tried,
		status, error, excerpt, partition_key, received, size)
	SELECT d.* FROM unnest($4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::integer[], $9::smallint[], $10::bigint[],
		$11::integer[], $12::text[], $13::bytea[], $14::text[], $15::bigint[], $16::bigint[])
		AS d (seq, name, state, due, attempts, replay, tried, status, error, excerpt, partition_key, received, size), ` + citusMoved + `
	WHERE moved.name = d.name` + putOver

	citusAttempted = `INSERT INTO webhooks_attempts (block, name, ended, size, attempts)
	SELECT a.block, a.name, a.ended, a.size, a.attempts
	FROM unnest($4::bigint[], $5::text[], $6::bigint[], $7::bigint[], $8::bytea[]) WITH ORDINALITY
		AS a (block, name, ended, size, attempts, n), ` + citusMoved + `
	WHERE moved.name = a.name ORDER BY n`
)

// queueDistributedProgress adds the progress of workers to a batch.
func (s *store) queueDistributedProgress(batch *pgx.Batch, all []*progress, now time.Time) {
	if len(all) == 0 {
		return
	}
	rows := s.progressRows(all)
	moved := []any{
		column(all, func(p *progress) string { return p.name }),
		column(all, func(p *progress) int64 { return p.lease }),
		column(all, func(p *progress) int64 { return p.position }),
	}
	batch.Queue(citusMove, append(slices.Clip(moved),
		column(all, func(p *progress) int64 { return p.begun }),
		column(all, func(p *progress) bool { return p.release }),
		column(all, func(p *progress) int64 { return p.latest.delivered }),
		column(all, func(p *progress) int64 { return p.latest.failed }),
		column(all, func(p *progress) int64 { return p.latest.failedSince }),
		column(all, func(p *progress) int { return p.latest.status }),
		column(all, func(p *progress) string { return p.latest.text }))...,
	).Query(notLost(all))
	if len(rows.removed) > 0 {
		batch.Queue(citusRemove, append(slices.Clip(moved), columnsOfRemoved(rows.removed)...)...)
	}
	if len(rows.put) > 0 {
		batch.Queue(citusPut, append(slices.Clip(moved), columnsOfPut(rows.put)...)...)
	}
	if len(rows.attempts) > 0 {
		batch.Queue(citusAttempted, append(slices.Clip(moved), rows.columnsOfAttempts()...)...)
	}
	s.queueRecovered(batch, all, now)
}

const (
	// citusCount changes nothing under another epoch than that of the log; neither do the
	// others then.
	citusCount = `UPDATE webhooks_queue SET last = last + $1, counted = last + $1, bytes = bytes + $2 WHERE id = 1 AND epoch = $3
	RETURNING last, bytes, epoch`

	citusEvents = `INSERT INTO webhooks_events (seq, key, source, provider, type, subject, partition_key, event_id,
		received, expires, size, original, shared, request, body)
	SELECT log.last - $1 + n, e.key, source, provider, type, subject, partition_key, event_id,
		received, e.expires, size, original, CASE WHEN shared = 0 THEN 0 ELSE log.last - $1 + shared END, request, body
	FROM unnest($2::bytea[], $3::bigint[], $4::boolean[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
		$11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bytea[], $16::bytea[]) WITH ORDINALITY
		AS e (key, expires, always, source, provider, type, subject, partition_key, event_id, received, size, original, shared, request, body, n),
		webhooks_queue log
	WHERE log.id = 1 AND log.epoch = $17 AND (always OR EXISTS (SELECT FROM webhooks_keys k WHERE k.key = e.key AND k.seq = log.last - $1 + n))
	RETURNING seq`

	citusRequests = `INSERT INTO webhooks_requests (first, last, size, request)
	SELECT log.last - $1 + r.first, log.last - $1 + r.last, size, request
	FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[]) AS r (first, last, size, request), webhooks_queue log
	WHERE log.id = 1 AND log.epoch = $6 AND EXISTS (SELECT FROM webhooks_events WHERE seq BETWEEN log.last - $1 + r.first AND log.last - $1 + r.last)`
)

// citusKeys stores the keys that do not make an event a duplicate. Citus takes no subquery
// in ON CONFLICT, so they are selected before, which is safe behind the counter's lock.
var citusKeys = `INSERT INTO webhooks_keys (key, expires, seq)
	SELECT k.key, k.expires, log.last - $1 + n
	FROM unnest($2::bytea[], $3::bigint[], $4::boolean[]) WITH ORDINALITY AS k (key, expires, first, n)
		LEFT JOIN webhooks_keys ON webhooks_keys.key = k.key, webhooks_queue log
	WHERE log.id = 1 AND log.epoch = $7 AND first AND (webhooks_keys.key IS NULL OR ` + isForgotten("$5", "$6") + `) ORDER BY n
	ON CONFLICT (key) DO UPDATE SET expires = excluded.expires, seq = excluded.seq, duplicates = 0, last_duplicate = 0`

// queueDistributedEvents adds events to a batch, which fills in result when it is read.
func (s *store) queueDistributedEvents(batch *pgx.Batch, c *commit, now time.Time, result *stored) {
	n := len(c.events)
	if n == 0 {
		return
	}
	size, keys, expires := c.size(), columnOfKeys(c.events), s.columnOfExpires(c.events)
	batch.Queue(citusCount, n, size, c.epoch).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&result.last, &result.bytes, &result.epoch)
		if result.moved = errors.Is(err, pgx.ErrNoRows); result.moved {
			return nil
		}
		c.number(result.last)
		result.accepted = make([]bool, n)
		return err
	})
	batch.Queue(citusKeys, n, keys, expires, c.isFirst(), s.micros(now), s.micros(now.Add(clockSlack)), c.epoch)
	batch.Queue(citusEvents, append(append([]any{n, keys, expires}, s.columnsOfEvents(c)...), c.epoch)...).Query(func(rows pgx.Rows) error {
		var seq int64
		_, err := pgx.ForEachRow(rows, []any{&seq}, func() error {
			result.accepted[int64(n)-1-(result.last-seq)] = true
			return nil
		})
		return err
	})
	if len(c.requests) > 0 {
		batch.Queue(citusRequests, append(append([]any{n}, columnsOfRequests(c.requests)...), c.epoch)...)
	}
	queueRefund(batch, n, size, c.epoch, result)
}
