package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// maxMessages is the maximum number of problems that SQLite reports about a file.
	maxMessages = 20

	// clockMargin allows for windows that end while the check runs.
	clockMargin = time.Minute
)

// errNoQueue means that there is nothing to check.
var errNoQueue = errors.New("no queue yet; a gateway creates it when it starts")

// Report is the result of Check.
type Report struct {
	Events   int64    `json:"events"`   // in the queue
	Bytes    int64    `json:"bytes"`    // that they take of Settings.Size
	Problems []string `json:"problems"` // one line each; empty if the queue is intact
}

// Check reads the whole queue and reports problems, those of one of several logs with its
// number. It changes nothing, and gateways may use the queue at the same time. SQLite may
// leave FILE-shm and an empty FILE-wal behind, which the next gateway removes. An error
// means that the queue could not be checked.
func Check(ctx context.Context, s Settings) (Report, error) {
	if s.Engine == PostgreSQL {
		return checkLogs(ctx, s)
	}
	c := newChecker(ctx, s)
	err := c.checkFile(Path(s.File))
	if isDamage(err) {
		c.add("%s", damaged(err))
		err = nil
	}
	return c.report, err
}

func newChecker(ctx context.Context, s Settings) checker {
	c := checker{ctx: ctx, now: time.Now, report: Report{Problems: []string{}}}
	if s.Now != nil {
		c.now = s.Now
	}
	return c
}

// checker is one run of Check.
type checker struct {
	ctx    context.Context
	now    func() time.Time
	q      *sql.Tx // one snapshot of a queue that may be in use
	report Report
}

// add reports a problem.
func (c *checker) add(format string, args ...any) {
	c.report.Problems = append(c.report.Problems, fmt.Sprintf(format, args...))
}

// checkFile checks SQLite's file, first its pages and then its contents.
func (c *checker) checkFile(file string) error {
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return errNoQueue
	} else if err != nil {
		return err
	}
	db, err := openReadOnly(file)
	if err != nil {
		return err
	}
	defer db.Close()
	return c.inSnapshot(db, &sql.TxOptions{ReadOnly: true}, func() error {
		version, err := checkSchema(c.ctx, c.q)
		if err == nil {
			err = checkVersion(version)
		}
		if err != nil {
			return err
		}
		damage, err := messages(c.ctx, c.q, fmt.Sprintf(`PRAGMA integrity_check(%d)`, maxMessages))
		if err != nil {
			return err
		}
		c.report.Problems = append(c.report.Problems, damage...)
		err = c.checkInvariants()
		if isDamage(err) && len(c.report.Problems) > 0 {
			return nil // it is reported already
		}
		return err
	})
}

// checkPostgres checks a log in PostgreSQL, by its number.
func (c *checker) checkPostgres(at *server, number int) error {
	s := newPostgres(number, nil)
	s.server.Store(at)
	defer s.close()
	return c.inSnapshot(s.read, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, func() error {
		if _, err := c.q.ExecContext(c.ctx, `SET LOCAL statement_timeout = 0`); err != nil {
			return err
		}
		version := 0
		err := c.q.QueryRowContext(c.ctx, `SELECT COALESCE(MAX(version), 0) FROM webhooks_migrations`).Scan(&version)
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code == "42P01" { // no such table
			return errNoQueue
		}
		if err == nil {
			err = checkVersion(version)
		}
		if err != nil {
			return err
		}
		var micros int64
		if err := c.q.QueryRowContext(c.ctx, `SELECT `+s.serverTime).Scan(&micros); err != nil {
			return err
		}
		c.now = func() time.Time { return time.UnixMicro(micros) } // windows end by the server's clock
		return c.checkInvariants()
	})
}

// inSnapshot runs check in one transaction.
func (c *checker) inSnapshot(db *sql.DB, options *sql.TxOptions, check func() error) (err error) {
	if c.q, err = db.BeginTx(c.ctx, options); err != nil {
		return err
	}
	defer func() { _ = c.q.Rollback() }() // it was read only
	return check()
}

// checkVersion returns an error for a schema to which the invariants do not apply.
func checkVersion(version int) error {
	switch {
	case version == 0:
		return errNoQueue
	case version > len(migrations):
		return newerSchema(version)
	case version < len(migrations):
		return fmt.Errorf("%w: its schema has version %d, and this program checks version %d; start the gateway with this program once",
			errSchema, version, len(migrations))
	}
	return nil
}

// summands select what webhooks_queue.bytes counts.
var summands = []string{
	`SELECT SUM(size) FROM webhooks_events`,
	`SELECT SUM(size) FROM webhooks_requests`,
}

// invariants hold for every queue. A query returns the number of rows that break one,
// and the name of the first. $1 is the time.
var invariants = []struct{ query, problem string }{
	{
		`SELECT count(*), CAST(MIN(d.seq) AS TEXT) FROM webhooks_deliveries d
			WHERE NOT EXISTS (SELECT 1 FROM webhooks_events e WHERE e.seq = d.seq)`,
		"deferred deliveries without their event: %d, first event number %s",
	},
	{
		`SELECT count(*), MIN(d.name) FROM webhooks_deliveries d
			WHERE NOT EXISTS (SELECT 1 FROM webhooks_destinations destination WHERE destination.name = d.name)`,
		"deferred deliveries without their destination: %d, first destination %s",
	},
	{
		`SELECT count(*), MIN(name) FROM webhooks_destinations
			WHERE position > (SELECT last FROM webhooks_queue WHERE id = 1)`,
		"destinations with a position beyond the last event: %d, first %s",
	},
	{
		`SELECT count(*), CAST(MIN(e.seq) AS TEXT) FROM webhooks_events e
			WHERE e.shared <> 0 AND NOT EXISTS (SELECT 1 FROM webhooks_requests r WHERE r.first = e.shared)`,
		"events without their request: %d, first event number %s",
	},
	{
		`SELECT count(*), CAST(MIN(r.first) AS TEXT) FROM webhooks_requests r
			WHERE NOT EXISTS (SELECT 1 FROM webhooks_events e WHERE e.seq BETWEEN r.first AND r.last)`,
		"requests without their events: %d, first event number %s",
	},
	{
		`SELECT count(*), CAST(MIN(e.seq) AS TEXT) FROM webhooks_events e
			WHERE e.expires > $1 AND NOT EXISTS (SELECT 1 FROM webhooks_keys k WHERE k.key = e.key)`,
		"events without their key, so that duplicates are accepted: %d, first event number %s",
	},
	{
		`SELECT count(*), CAST(MIN(id) AS TEXT) FROM webhooks_attempts
			WHERE block * ` + strconv.Itoa(blockEvents) + ` >= (SELECT last FROM webhooks_queue WHERE id = 1)`,
		"rows of attempts at events beyond the last one: %d, first row %s",
	},
}

// checkInvariants checks the totals and the relations between the tables.
func (c *checker) checkInvariants() error {
	bytes, err := c.checkTotals()
	if errors.Is(err, sql.ErrNoRows) {
		c.add("webhooks_queue is empty")
	} else if err != nil {
		return err
	}
	c.report.Bytes = bytes
	for _, invariant := range invariants {
		var args []any
		if strings.Contains(invariant.query, "$1") {
			args = []any{c.now().Add(clockMargin).UnixMicro()}
		}
		var n int64
		var first sql.NullString
		if err := c.q.QueryRowContext(c.ctx, invariant.query, args...).Scan(&n, &first); err != nil {
			return err
		}
		if n > 0 {
			c.add(invariant.problem, n, first.String)
		}
	}
	return c.checkAttempts()
}

// checkAttempts decodes all attempts.
func (c *checker) checkAttempts() error {
	var n, first int64
	rows, err := c.q.QueryContext(c.ctx, `SELECT id, attempts FROM webhooks_attempts ORDER BY id`)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var id int64
		var attempts sql.RawBytes
		if err = rows.Scan(&id, &attempts); err != nil {
			return err
		}
		if decodeAttempts(attempts, func(endedAttempt) {}) != nil {
			if n++; n == 1 {
				first = id
			}
		}
		return nil
	})
	if n > 0 {
		c.add("rows of attempts that cannot be decoded: %d, first row %d", n, first)
	}
	return err
}

// checkTotals checks the row of webhooks_queue, and returns the number of bytes that the
// events take.
func (c *checker) checkTotals() (bytes int64, err error) {
	for _, query := range summands {
		var n int64
		if err := c.q.QueryRowContext(c.ctx, `SELECT CAST(COALESCE((`+query+`), 0) AS BIGINT)`).Scan(&n); err != nil {
			return 0, err
		}
		bytes += n
	}
	var newest, last, stored int64
	if err := c.q.QueryRowContext(c.ctx, `SELECT count(*), COALESCE(MAX(seq), 0) FROM webhooks_events`).Scan(&c.report.Events, &newest); err != nil {
		return 0, err
	}
	var epoch, counted int64
	if err := c.q.QueryRowContext(c.ctx, `SELECT last, bytes, epoch, counted FROM webhooks_queue WHERE id = 1`).Scan(&last, &stored, &epoch, &counted); err != nil {
		return bytes, err
	}
	if stored != bytes {
		c.add("webhooks_queue.bytes is %d, but the events take %d", stored, bytes)
	}
	if epoch > 0 && counted != last {
		c.add("webhooks_queue.counted is %d, but the last event has number %d: a gateway of an older version has stored events", counted, last)
	}
	if newest > last {
		c.add(lastTooLow, last, newest)
	}
	return bytes, nil
}
