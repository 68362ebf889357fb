package queue

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// pgClock is PostgreSQL's time in microseconds.
	pgClock = `(extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

	// pgTimeline names the history of the server: a standby that is promoted begins
	// a new one. A standby has none and fails.
	pgTimeline = `left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`
)

// pgProgress writes the progress of workers. It returns the destinations whose lease is
// still valid, on this timeline; nothing is written for the others.
const pgProgress = `WITH moved AS (
	UPDATE webhooks_destinations dest SET position = p.position, begun = p.begun, holder = CASE WHEN p.release THEN '' ELSE dest.holder END,
		delivered = p.delivered, failed = p.failed, failed_since = p.failed_since, last_status = p.last_status, last_error = p.last_error
	FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::boolean[],
		$22::bigint[], $23::bigint[], $24::bigint[], $25::integer[], $26::text[])
		AS p (name, lease, timeline, position, begun, release, delivered, failed, failed_since, last_status, last_error)
	WHERE dest.name = p.name AND dest.lease = p.lease AND p.timeline = ` + pgTimeline + `
		AND p.position <= (SELECT last FROM webhooks_queue WHERE id = 1)
	RETURNING dest.name, dest.paused
), removed AS (
	DELETE FROM webhooks_deliveries d USING unnest($7::text[], $8::bigint[]) AS r (name, seq), moved
	WHERE moved.name = r.name AND d.seq = r.seq AND d.name = r.name
), put AS (
	INSERT INTO webhooks_deliveries (seq, name, state, due, attempts, replay, tried,
		status, error, excerpt, partition_key, received, size)
	SELECT d.* FROM unnest($9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::integer[], $14::smallint[], $15::bigint[],
		$16::integer[], $17::text[], $18::bytea[], $19::text[], $20::bigint[], $21::bigint[])
		AS d (seq, name, state, due, attempts, replay, tried, status, error, excerpt, partition_key, received, size)
	JOIN moved ON moved.name = d.name` + putOver + `
), attempted AS (
	INSERT INTO webhooks_attempts (block, name, ended, size, attempts)
	SELECT a.block, a.name, a.ended, a.size, a.attempts
	FROM unnest($27::bigint[], $28::text[], $29::bigint[], $30::bigint[], $31::bytea[]) WITH ORDINALITY
		AS a (block, name, ended, size, attempts, n)
	JOIN moved ON moved.name = a.name ORDER BY n
)
SELECT name, paused FROM moved`

// recoveredAt returns the statement that makes deliveries due which failed while their
// destination was down.
func recoveredAt(timeline string) string {
	return `UPDATE webhooks_deliveries d SET due = $1
		FROM unnest($2::text[], $3::bigint[], $4::text[], $5::bigint[]) AS r (name, lease, timeline, since)
		JOIN webhooks_destinations dest ON dest.name = r.name AND dest.lease = r.lease
		WHERE r.timeline = ` + timeline + ` AND d.name = r.name AND d.state = 'retry' AND d.due > $1 AND d.tried >= r.since`
}

// pgStore stores events whose keys are new. The counter comes first, because its lock
// orders the gateways. All of it is one statement, so that no gateway holds the lock
// while the network, or the gateway itself, is slow. Under another epoch than that of the
// log it stores nothing, and returns no row.
var pgStore = `WITH counter AS (
	UPDATE webhooks_queue SET last = last + $1, counted = last + $1, bytes = bytes + $2 WHERE id = 1 AND epoch = $25
	RETURNING last, last - $1 AS before, bytes, epoch
), keys AS (
	INSERT INTO webhooks_keys (key, expires, seq)
	SELECT k.key, k.expires, before + n FROM unnest($3::bytea[], $4::bigint[], $5::boolean[]) WITH ORDINALITY AS k (key, expires, first, n), counter
	WHERE first ORDER BY n
	ON CONFLICT (key) DO UPDATE SET expires = excluded.expires, seq = excluded.seq, duplicates = 0, last_duplicate = 0
	WHERE ` + isForgotten("$6", "$24") + `
	RETURNING seq
), events AS (
	INSERT INTO webhooks_events (seq, key, source, provider, type, subject, partition_key, event_id,
		received, expires, size, original, shared, request, body)
	SELECT before + n, e.key, source, provider, type, subject, partition_key, event_id,
		received, e.expires, size, original, CASE WHEN shared = 0 THEN 0 ELSE before + shared END, request, body
	FROM unnest($3::bytea[], $4::bigint[], $7::boolean[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
		$14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bytea[], $19::bytea[]) WITH ORDINALITY
		AS e (key, expires, always, source, provider, type, subject, partition_key, event_id, received, size, original, shared, request, body, n), counter
	WHERE always OR before + n IN (SELECT seq FROM keys)
	RETURNING seq
), requests AS (
	INSERT INTO webhooks_requests (first, last, size, request)
	SELECT before + r.first, before + r.last, size, request
	FROM unnest($20::bigint[], $21::bigint[], $22::bigint[], $23::bytea[]) AS r (first, last, size, request), counter
	WHERE EXISTS (SELECT 1 FROM events WHERE seq BETWEEN before + r.first AND before + r.last)
)
SELECT last, bytes, epoch, ` + pgTimeline + `, ARRAY(SELECT seq FROM events) FROM counter`

// pgRefund subtracts the bytes of duplicates, which pgStore has counted.
const pgRefund = `UPDATE webhooks_queue q SET bytes = q.bytes - $2 + kept.bytes
	FROM (SELECT COALESCE((SELECT sum(size) FROM webhooks_events e WHERE e.seq > log.last - $1 AND e.seq <= log.last), 0)
		+ COALESCE((SELECT sum(size) FROM webhooks_requests r WHERE r.first > log.last - $1 AND r.first <= log.last), 0) AS bytes
		FROM webhooks_queue log WHERE id = 1) AS kept
	WHERE q.id = 1 AND q.epoch = $3 AND kept.bytes < $2 RETURNING q.bytes`

// writePipelined writes a commit in one round trip: all statements are sent together,
// as one transaction. Progress comes before events, whose counter makes other gateways
// wait.
func (s *store) writePipelined(ctx context.Context, c *commit, now time.Time) (result stored, err error) {
	batch := new(pgx.Batch)
	if s.isDistributed {
		s.queueDistributed(batch, c, now, &result)
	} else {
		s.queueProgress(batch, c.progress, now)
		s.queuePlaces(batch, c, now, &result)
		s.queueEvents(batch, c, now, &result)
		s.queueDuplicates(batch, c.duplicates)
	}
	if batch.Len() == 0 {
		return result, nil
	}
	return result, s.onServer(ctx, func(conn *pgx.Conn, warned *bool) error {
		*warned = false
		if err := conn.SendBatch(ctx, batch).Close(); err != nil {
			return s.failed(ctx, conn, err, *warned)
		}
		if *warned {
			return errUnconfirmed
		}
		return nil
	})
}

// inDoubt wraps an error in errCommit if the transaction may be committed all the same.
// It is not if the server itself reports the error of a statement.
func inDoubt(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.SeverityUnlocalized == "ERROR" {
		return err
	}
	return fmt.Errorf("%w: %w", errCommit, err)
}

// onServer calls f with the connection that writes. It pings an idle connection first:
// if the server has closed it, a statement would notice too late to be repeated.
func (s *store) onServer(ctx context.Context, f func(conn *pgx.Conn, warned *bool) error) error {
	for range 2 {
		if err := s.connect(ctx); err != nil {
			return err
		}
		if time.Since(s.used) < maxIdle || s.conn.PingContext(ctx) == nil {
			break
		}
		s.disconnect()
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	err := s.conn.Raw(func(driverConn any) error {
		return f(driverConn.(*stdlib.Conn).Conn(), &s.warned)
	})
	s.used = time.Now()
	s.dropStale(err)
	return err
}

// maxIdle is how long a connection may be idle without a ping.
const maxIdle = time.Second

// dropStale closes the connection that writes if an error shows that it is broken, or
// that its server takes no writes.
func (s *store) dropStale(err error) {
	if err != nil && isStale(err) {
		s.drop()
	}
}

// drop closes the connection that writes.
func (s *store) drop() {
	if s.conn == nil {
		return
	}
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	s.disconnect()
}

// isStale reports whether an error concerns the connection or its server, rather than a
// statement.
func isStale(err error) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return !errors.Is(err, ErrUnknown)
	}
	switch {
	case refused.SeverityUnlocalized != "ERROR":
		return true
	case refused.Code == readOnly, refused.Code == inRecovery:
		return true
	}
	return strings.HasPrefix(refused.Code, "08") || strings.HasPrefix(refused.Code, "57P")
}

// SQLSTATE codes of a server that takes no writes.
const (
	readOnly   = "25006" // cannot execute … in a read-only transaction
	inRecovery = "55000" // recovery is in progress
)

// queueProgress adds the progress of workers to a batch.
func (s *store) queueProgress(batch *pgx.Batch, all []*progress, now time.Time) {
	if len(all) == 0 {
		return
	}
	rows := s.progressRows(all)
	args := []any{
		column(all, func(p *progress) string { return p.name }),
		column(all, func(p *progress) int64 { return p.lease }),
		column(all, func(p *progress) string { return p.timeline }),
		column(all, func(p *progress) int64 { return p.position }),
		column(all, func(p *progress) int64 { return p.begun }),
		column(all, func(p *progress) bool { return p.release }),
	}
	args = append(args, columnsOfRemoved(rows.removed)...)
	args = append(args, columnsOfPut(rows.put)...)
	args = append(args,
		column(all, func(p *progress) int64 { return p.latest.delivered }),
		column(all, func(p *progress) int64 { return p.latest.failed }),
		column(all, func(p *progress) int64 { return p.latest.failedSince }),
		column(all, func(p *progress) int { return p.latest.status }),
		column(all, func(p *progress) string { return p.latest.text }))
	batch.Queue(pgProgress, append(args, rows.columnsOfAttempts()...)...).Query(notLost(all))
	s.queueRecovered(batch, all, now)
}

// notLost returns a function that reads which progress was written: all of it is lost
// otherwise.
func notLost(all []*progress) func(rows pgx.Rows) error {
	byName := make(map[string]*progress, len(all))
	for _, p := range all {
		p.lost = true
		byName[p.name] = p
	}
	return func(rows pgx.Rows) error {
		var name string
		var paused int
		_, err := pgx.ForEachRow(rows, []any{&name, &paused}, func() error {
			byName[name].lost, byName[name].isPaused = false, paused != 0
			return nil
		})
		return err
	}
}

// queueRecovered adds to a batch that deliveries are due which failed while their
// destination was down.
func (s *store) queueRecovered(batch *pgx.Batch, all []*progress, now time.Time) {
	recovered := slices.DeleteFunc(slices.Clone(all), func(p *progress) bool { return p.recovered.IsZero() })
	if len(recovered) > 0 {
		batch.Queue(recoveredAt(s.timeline), s.micros(now),
			column(recovered, func(p *progress) string { return p.name }),
			column(recovered, func(p *progress) int64 { return p.lease }),
			column(recovered, func(p *progress) string { return p.timeline }),
			column(recovered, func(p *progress) int64 { return s.micros(p.recovered) }))
	}
}

// queueEvents adds events to a batch, which fills in result when it is read.
func (s *store) queueEvents(batch *pgx.Batch, c *commit, now time.Time, result *stored) {
	n := len(c.events)
	if n == 0 {
		return
	}
	size := c.size()
	args := []any{n, size, columnOfKeys(c.events), s.columnOfExpires(c.events), c.isFirst(), s.micros(now)}
	args = append(args, s.columnsOfEvents(c)...)
	args = append(args, columnsOfRequests(c.requests)...)
	batch.Queue(pgStore, append(args, s.micros(now.Add(clockSlack)), c.epoch)...).QueryRow(func(row pgx.Row) error {
		var accepted []int64
		err := row.Scan(&result.last, &result.bytes, &result.epoch, &result.timeline, &accepted)
		if errors.Is(err, pgx.ErrNoRows) {
			result.moved = true
			return nil
		}
		if err != nil {
			return err
		}
		c.number(result.last)
		result.accepted = make([]bool, n)
		for _, seq := range accepted {
			result.accepted[int64(n)-1-(result.last-seq)] = true
		}
		return nil
	})
	queueRefund(batch, n, size, c.epoch, result)
}

// queueRefund adds to a batch that the bytes of duplicates are not counted.
func queueRefund(batch *pgx.Batch, n int, size, epoch int64, result *stored) {
	batch.Queue(pgRefund, n, size, epoch).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&result.bytes}, func() error { return nil })
		return err
	})
}
