package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// migrations bring the schema from one version to the next. The version is the number
// of them that were applied. A migration is never changed, only followed by others.
// Each engine replaces the words in braces.
//
// Times are microseconds since 1970.
var migrations = []string{`
-- One row. Its lock makes the order of commits the order of seq, so that a reader never
-- passes a number that a slower transaction has still to commit.
CREATE TABLE webhooks_queue (
	id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	last   BIGINT  NOT NULL, -- the last seq that was used
	bytes  BIGINT  NOT NULL, -- that the events take
	probes BIGINT  NOT NULL  -- counts probes: SQLite does not write a row that does not change
);
INSERT INTO webhooks_queue (id, last, bytes, probes) VALUES (1, 0, 0, 0);

-- The log, in order of arrival.
CREATE TABLE webhooks_events (
	seq           {seq}  NOT NULL PRIMARY KEY,
	key           {blob} NOT NULL,
	source        TEXT   NOT NULL,
	provider      TEXT   NOT NULL,
	type          TEXT   NOT NULL,
	partition_key TEXT   NOT NULL,
	event_id      TEXT   NOT NULL, -- the provider's own
	received      BIGINT NOT NULL,
	expires       BIGINT NOT NULL, -- when the key is forgotten
	size          BIGINT NOT NULL, -- in webhooks_queue.bytes
	original      BIGINT NOT NULL, -- the number of bytes of the body that are the provider's own
	request       {blob},
	body          {blob} NOT NULL
);

-- What makes an event a duplicate.
CREATE TABLE webhooks_keys (
	key     {blob} NOT NULL PRIMARY KEY,
	expires BIGINT NOT NULL,
	seq     BIGINT NOT NULL -- the last event with this key
) {without_rowid};

-- Keys whose events are gone and whose window has not ended.
CREATE TABLE webhooks_leftovers (
	expires BIGINT NOT NULL,
	key     {blob} NOT NULL,
	PRIMARY KEY (expires, key)
) {without_rowid};

-- The progress of each destination: every event up to position is settled or deferred,
-- and no attempt has begun after begun.
CREATE TABLE webhooks_destinations (
	name     TEXT     NOT NULL PRIMARY KEY,
	filter   TEXT     NOT NULL, -- JSON
	position BIGINT   NOT NULL,
	begun    BIGINT   NOT NULL,
	gaps     TEXT     NOT NULL, -- JSON: what came in while no configuration had the name
	paused   SMALLINT NOT NULL,
	holder   TEXT     NOT NULL, -- the gateway that works it
	lease    BIGINT   NOT NULL, -- counts holders: an older one must not settle anything
	until    BIGINT   NOT NULL
);

-- Deliveries that did not succeed at once: they wait for a retry, are parked behind an
-- older event of their key, are being tried, or are dead letters.
CREATE TABLE webhooks_exceptions (
	seq           BIGINT   NOT NULL REFERENCES webhooks_events (seq),
	name          TEXT     NOT NULL REFERENCES webhooks_destinations (name),
	state         TEXT     NOT NULL,
	due           BIGINT   NOT NULL,
	attempts      INTEGER  NOT NULL, -- that were begun
	replay        SMALLINT NOT NULL,
	tried         BIGINT   NOT NULL, -- when the last attempt ended, or it was parked
	status        INTEGER  NOT NULL,
	error         TEXT     NOT NULL,
	excerpt       {blob},
	partition_key TEXT     NOT NULL,
	received      BIGINT   NOT NULL,
	size          BIGINT   NOT NULL,
	PRIMARY KEY (seq, name)
);
CREATE INDEX webhooks_exceptions_due ON webhooks_exceptions (name, state, due);
CREATE INDEX webhooks_exceptions_key ON webhooks_exceptions (name, partition_key, seq);
`, `
ALTER TABLE webhooks_events ADD COLUMN subject TEXT NOT NULL DEFAULT '';

-- The number of the first event of its request in webhooks_requests; 0 if the
-- request is here.
ALTER TABLE webhooks_events ADD COLUMN shared BIGINT NOT NULL DEFAULT 0;

-- Requests that brought several events: those from first to last.
CREATE TABLE webhooks_requests (
	first   {seq}  NOT NULL PRIMARY KEY,
	last    BIGINT NOT NULL,
	size    BIGINT NOT NULL, -- in webhooks_queue.bytes
	request {blob} NOT NULL
);

-- The gateways that share the queue. A gateway holds its destinations until its lease
-- ends.
CREATE TABLE webhooks_gateways (
	holder TEXT   NOT NULL PRIMARY KEY,
	until  BIGINT NOT NULL, -- by the server's clock
	names  TEXT   NOT NULL  -- JSON: the destinations in its configuration
);
ALTER TABLE webhooks_destinations DROP COLUMN until;

-- One row: bytes that are written to find out whether there is room, and the time of
-- the last maintenance.
CREATE TABLE webhooks_probe (
	id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	seen   BIGINT  NOT NULL,
	filler {blob}  NOT NULL
);
INSERT INTO webhooks_probe (id, seen, filler) VALUES (1, 0, '');
ALTER TABLE webhooks_queue DROP COLUMN probes;
`, `
-- Indexing many deferred deliveries takes longer than other statements may.
{only_postgres}SET LOCAL statement_timeout = 0;
ALTER TABLE webhooks_exceptions RENAME TO webhooks_deliveries;
DROP INDEX webhooks_exceptions_due;
DROP INDEX webhooks_exceptions_key;
CREATE INDEX webhooks_deliveries_due ON webhooks_deliveries (name, state, due);
CREATE INDEX webhooks_deliveries_key ON webhooks_deliveries (name, partition_key, seq);

ALTER TABLE webhooks_leftovers RENAME TO webhooks_expired_keys;

-- SQLite names these after their tables by itself.
{only_plain}ALTER TABLE webhooks_deliveries RENAME CONSTRAINT webhooks_exceptions_pkey TO webhooks_deliveries_pkey;
{only_plain}ALTER TABLE webhooks_deliveries RENAME CONSTRAINT webhooks_exceptions_seq_fkey TO webhooks_deliveries_seq_fkey;
{only_plain}ALTER TABLE webhooks_deliveries RENAME CONSTRAINT webhooks_exceptions_name_fkey TO webhooks_deliveries_name_fkey;
{only_plain}ALTER TABLE webhooks_expired_keys RENAME CONSTRAINT webhooks_leftovers_pkey TO webhooks_expired_keys_pkey;
`, `
{only_postgres}SET LOCAL statement_timeout = 0;
-- Gateways that are at work lock in this order.
{only_postgres}LOCK TABLE webhooks_destinations, webhooks_deliveries, webhooks_keys;

-- Attempts, many to a row: those at the events of one block of the log that one
-- transaction settled.
CREATE TABLE webhooks_attempts (
	id       {id},
	block    BIGINT NOT NULL, -- of the log; see blockOf
	name     TEXT   NOT NULL, -- of the destination
	ended    BIGINT NOT NULL, -- when the last of them ended
	size     BIGINT NOT NULL, -- that the row takes
	attempts {blob} NOT NULL
);
CREATE INDEX webhooks_attempts_block ON webhooks_attempts (block, size);

-- The attributes of the events of each full block of the log, for searches. It follows
-- behind the log.
CREATE TABLE webhooks_index (
	block   {seq}  NOT NULL PRIMARY KEY,
	entries {blob} NOT NULL
);
-- Searches read all rows: PostgreSQL is not to compress them, nor to store them apart.
{only_postgres}ALTER TABLE webhooks_index SET (toast_tuple_target = 8160);

-- How often the event of a key came again, and when last.
ALTER TABLE webhooks_keys ADD COLUMN duplicates BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhooks_keys ADD COLUMN last_duplicate BIGINT NOT NULL DEFAULT 0;

-- The latest results of a destination: when the last attempt that succeeded ended, and
-- the last one that failed; when the first of the failures in a row began; and why the
-- last one failed. Times are 0 for none.
ALTER TABLE webhooks_destinations ADD COLUMN delivered BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhooks_destinations ADD COLUMN failed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhooks_destinations ADD COLUMN failed_since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhooks_destinations ADD COLUMN last_status INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhooks_destinations ADD COLUMN last_error TEXT NOT NULL DEFAULT '';

CREATE INDEX webhooks_deliveries_state ON webhooks_deliveries (state, seq);
`, `
-- Gateways that are at work lock in this order when they renew their leases.
{only_postgres}LOCK TABLE webhooks_gateways, webhooks_queue;

-- The number of logs that the gateway is configured with. A program whose schema is
-- older leaves it out.
ALTER TABLE webhooks_gateways ADD COLUMN logs INTEGER NOT NULL DEFAULT 0;

-- The layout under which events are stored here. The first one has one log, and ends
-- when there are several. A program whose schema is older moves last alone, which fails
-- from then on: it would store events where they do not belong.
ALTER TABLE webhooks_queue ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhooks_queue ADD COLUMN counted BIGINT NOT NULL DEFAULT 0
	CONSTRAINT webhooks_queue_counted CHECK (epoch = 0 OR counted = last);

-- Which log of which queue this is; empty while the queue has never had several.
CREATE TABLE webhooks_identity (
	id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	queue TEXT    NOT NULL,
	log   INTEGER NOT NULL
);

-- The layouts after the first one. Times are by this server's clock.
CREATE TABLE webhooks_layouts (
	epoch    BIGINT  NOT NULL PRIMARY KEY,
	logs     INTEGER NOT NULL, -- that events are stored in
	existing INTEGER NOT NULL, -- logs, with those that are only to be emptied
	servers  INTEGER NOT NULL, -- that the gateway knows which began the switch
	last     BIGINT,           -- the end of this log when the layout began here; NULL before
	until    BIGINT,           -- when the last window ended of the keys that were here then; NULL before it is known
	complete BIGINT,           -- when all logs were known to have the layout; NULL before
	ended    BIGINT            -- until of the log where it is the latest, by this server's clock; NULL before all are known
);

-- With dedup strict: which log has the event of a key.
CREATE TABLE webhooks_places (
	key     {blob}  NOT NULL PRIMARY KEY,
	log     INTEGER NOT NULL,
	expires BIGINT  NOT NULL,
	epoch   BIGINT  NOT NULL -- of the layout
) {without_rowid};
CREATE INDEX webhooks_places_expires ON webhooks_places (expires);
`}

// afterMigration holds what no script can do, by the version that it belongs to. It
// runs in the same transaction, after the script.
var afterMigration = map[int]func(t *tx) error{
	3: (*tx).moveSubjects,
}

// subjectFirst is how a request begins that holds the subject of its event.
const subjectFirst = `{"subject":`

// moveSubjects copies the subjects that the program with version 1 stored in the
// JSON of requests to the column, which is empty for these events. A request that is
// not JSON has none.
func (t *tx) moveSubjects() error {
	subjects := make(map[int64]string)
	err := t.rows(`SELECT seq, request FROM webhooks_events WHERE subject = '' AND substr(request, 1, $1) = $2`,
		[]any{len(subjectFirst), []byte(subjectFirst)}, func(rows *sql.Rows) error {
			var seq int64
			var text sql.RawBytes
			if err := rows.Scan(&seq, &text); err != nil {
				return err
			}
			var request struct{ Subject string }
			if json.Unmarshal(text, &request) == nil {
				subjects[seq] = request.Subject
			}
			return nil
		})
	if err != nil {
		return err
	}
	for seq, subject := range subjects {
		if err := t.exec(`UPDATE webhooks_events SET subject = $1 WHERE seq = $2`, withoutNUL(subject), seq); err != nil {
			return err
		}
	}
	return nil
}

// errSchema means that the queue cannot be used until something is changed.
var errSchema = errors.New("the queue cannot be used")

// createMigrations creates the table that holds the version of the schema.
const createMigrations = `CREATE TABLE IF NOT EXISTS webhooks_migrations (version INTEGER NOT NULL PRIMARY KEY)`

// newerSchema returns the error for a schema of a newer program.
func newerSchema(version int) error {
	return fmt.Errorf("%w: its schema has version %d, and this program supports up to %d; run the newer program, or configure another queue",
		errSchema, version, len(migrations))
}

// migrateTimeout ends a migration that does not end by itself. It may read all
// events.
const migrateTimeout = 5 * time.Minute

// migrate brings the schema to the version of this program. To find out whether it
// has that already takes at most openTimeout.
func (s *store) migrate(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	limit := time.AfterFunc(openTimeout, cancel)
	defer limit.Stop()
	return s.transact(ctx, func(t *tx) error {
		if s.lockSchema != "" {
			if err := t.exec(s.lockSchema); err != nil {
				return err
			}
			if err := t.recognize(); err != nil {
				return err
			}
		}
		if err := t.exec(createMigrations); err != nil {
			return err
		}
		var version int
		if err := t.row(`SELECT COALESCE(MAX(version), 0) FROM webhooks_migrations`, nil, &version); err != nil {
			return err
		}
		if version > len(migrations) {
			return newerSchema(version)
		}
		for ; version < len(migrations); version++ {
			limit.Reset(migrateTimeout)
			if err := t.applyMigration(version + 1); err != nil {
				return fmt.Errorf("schema version %d: %w", version+1, err)
			}
			if err := t.exec(`INSERT INTO webhooks_migrations (version) VALUES ($1)`, version+1); err != nil {
				return err
			}
		}
		return nil
	})
}

// applyMigration brings the schema to a version from the one before.
func (t *tx) applyMigration(version int) error {
	if err := t.execScript(t.store.words.Replace(migrations[version-1])); err != nil {
		return err
	}
	if after := afterMigration[version]; after != nil {
		return after(t)
	}
	return nil
}
