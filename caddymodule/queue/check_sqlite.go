package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"modernc.org/sqlite"
)

const (
	// newestRows is the number of the newest events that checkSQLite reads.
	newestRows = 100

	// newestBytes is about the maximum number of their bytes.
	newestBytes = 4 << 20
)

// smallTables are the tables of SQLite that do not grow with the events.
var smallTables = []string{"webhooks_migrations", "webhooks_queue", "webhooks_destinations"}

// querier is a database, or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// checkSQLite checks that the file is a queue or can become one, and that the small
// tables and the newest events are intact. It takes the same time for a file of any
// size; Check reads all of it. It only reads: opening the file as a queue would already
// change it.
func checkSQLite(ctx context.Context, file string) error {
	db, err := openReadOnly(file)
	if err != nil {
		return err
	}
	defer db.Close()
	err = checkBeginning(ctx, db)
	if isDamage(err) {
		return damaged(err)
	}
	return err
}

// openReadOnly opens a file for one connection that changes nothing.
func openReadOnly(file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", sqliteURI(file)+"?mode=ro&_pragma=busy_timeout(10000)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// checkBeginning reads the schema, the small tables and the newest events. On the first
// read, SQLite compares the number of pages in the header with the size of the file.
func checkBeginning(ctx context.Context, q querier) error {
	version, err := checkSchema(ctx, q)
	if err != nil || version == 0 || version > len(migrations) { // which migrate refuses
		return err
	}
	for _, table := range smallTables {
		damage, err := messages(ctx, q, `PRAGMA quick_check(`+table+`)`)
		if err != nil {
			return err
		}
		if len(damage) > 0 {
			return damaged(errors.New(damage[0]))
		}
	}
	return checkNewest(ctx, q)
}

// checkSchema checks that the file has all tables of a queue and no others, and returns
// the version of the schema. A new file has version 0.
func checkSchema(ctx context.Context, q querier) (version int, err error) {
	there, err := namesOf(ctx, q)
	if err != nil {
		return 0, err
	}
	for name := range there {
		if !strings.HasPrefix(name, "webhooks_") && !strings.HasPrefix(name, "sqlite_") {
			return 0, errors.New("the file is the database of another program")
		}
	}
	if len(there) == 0 {
		return 0, nil
	}
	if there["webhooks_migrations"] {
		if err = q.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM webhooks_migrations`).Scan(&version); err != nil {
			return 0, err
		}
	}
	wanted, err := namesOfVersion(ctx, min(version, len(migrations)))
	if err != nil {
		return 0, err
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if !there[name] {
			return version, damaged(fmt.Errorf("%s is missing", name))
		}
	}
	return version, nil
}

// namesOf returns the names of all tables and indexes.
func namesOf(ctx context.Context, q querier) (map[string]bool, error) {
	names := make(map[string]bool)
	rows, err := q.QueryContext(ctx, `SELECT name FROM sqlite_master`)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var name string
		err = rows.Scan(&name)
		names[name] = true
		return err
	})
	return names, err
}

// namesOfVersion returns the names of the tables and indexes of a schema version.
func namesOfVersion(ctx context.Context, version int) (map[string]bool, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection has a database of its own
	for _, script := range append([]string{createMigrations}, migrations[:version]...) {
		if _, err := db.ExecContext(ctx, sqliteDialect.words.Replace(script)); err != nil {
			return nil, err
		}
	}
	return namesOf(ctx, db)
}

// messages runs a PRAGMA that checks the file, and returns its problems.
func messages(ctx context.Context, q querier, pragma string) (all []string, err error) {
	rows, err := q.QueryContext(ctx, pragma)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var text string
		if err = rows.Scan(&text); err != nil {
			return err
		}
		for line := range strings.SplitSeq(text, "\n") {
			if line != "ok" && !strings.HasPrefix(line, "*** in database") {
				all = append(all, line)
			}
		}
		return nil
	})
	return all, err
}

// checkNewest reads the newest events with their keys: a crash of the machine damages
// what was written last.
func checkNewest(ctx context.Context, q querier) error {
	var last, newest sql.NullInt64
	if err := q.QueryRowContext(ctx, `SELECT (SELECT last FROM webhooks_queue WHERE id = 1), (SELECT MAX(seq) FROM webhooks_events)`).Scan(&last, &newest); err != nil {
		return err
	}
	if !last.Valid {
		return damaged(errors.New("webhooks_queue is empty"))
	}
	if newest.Int64 > last.Int64 {
		return damaged(fmt.Errorf(lastTooLow, last.Int64, newest.Int64))
	}
	keys, err := readNewest(ctx, q)
	if err != nil {
		return err
	}
	for _, key := range keys {
		var seq int64
		if err := q.QueryRowContext(ctx, `SELECT seq FROM webhooks_keys WHERE key = $1`, key).Scan(&seq); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	return nil
}

// readNewest reads all columns of the newest events, and returns their keys.
func readNewest(ctx context.Context, q querier) (keys [][]byte, err error) {
	rows, err := q.QueryContext(ctx, `SELECT key, e.* FROM webhooks_events e ORDER BY seq DESC LIMIT $1`, newestRows)
	read := 0
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var names []string
		if names, err = rows.Columns(); err != nil {
			return err
		}
		values, to := make([]sql.RawBytes, len(names)), make([]any, len(names))
		for i := range values {
			to[i] = &values[i]
		}
		if err = rows.Scan(to...); err != nil {
			return err
		}
		keys = append(keys, append([]byte(nil), values[0]...))
		for _, value := range values {
			read += len(value)
		}
		if read > newestBytes {
			return errEnough
		}
		return nil
	})
	return keys, err
}

// lastTooLow is the problem that two events have or will get the same number.
const lastTooLow = "webhooks_queue.last is %d, but there is an event with number %d"

// damaged wraps a problem that was found in the file.
func damaged(err error) error { return fmt.Errorf("the file is damaged: %w", err) }

// isDamage reports whether an error is SQLite's for a damaged file.
func isDamage(err error) bool {
	const corrupt = 11 // SQLITE_CORRUPT; the bits above these eight say more
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == corrupt
}
