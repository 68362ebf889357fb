package queue

import (
	"cmp"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
)

// Defaults of Settings and Destination.
const (
	DefaultRetention   = 7 * 24 * time.Hour
	DefaultSize        = 1 << 30 // bytes
	DefaultAttempts    = 24
	DefaultFirst       = 5 * time.Second
	DefaultMax         = 6 * time.Hour // with 24 attempts: two days in all
	DefaultTimeout     = 30 * time.Second
	DefaultConcurrency = 16
)

// MaxLogs is the maximum number of logs of a queue: each takes up to six connections of
// each gateway.
const MaxLogs = 8

// Settings select the database of a queue and limit what it keeps.
type Settings struct {
	// Engine is SQLite or PostgreSQL. Default: SQLite.
	Engine string

	// File is the path of SQLite's file. Open creates the file and its directory.
	File string

	// DSN is the connection string of PostgreSQL, as a URL or as key=value pairs. If
	// there are Servers, too, it is that of the first server, which has log 0.
	DSN string

	// Servers are the connection strings of the further servers of PostgreSQL.
	Servers []string

	// Logs is the number of logs of PostgreSQL, at most MaxLogs. 0 is one for each
	// server.
	Logs int

	// StrictDedup finds a duplicate in whichever log its first copy is: also one with
	// another partition key. It takes one commit more for each event, and effect only
	// with several logs.
	StrictDedup bool

	// Retention is how long delivered events and dead letters are kept. There is no
	// default; see DefaultRetention.
	Retention time.Duration

	// Size is the maximum number of bytes that all events may take. There is no
	// default; see DefaultSize.
	Size int64

	// Logger is used unless the current configuration has one of its own.
	Logger *zap.Logger

	// Now returns the time. Check may do without it.
	Now func() time.Time

	tracer pgx.QueryTracer // of PostgreSQL, for tests
}

// servers returns the connection strings of all servers of PostgreSQL.
func (s Settings) servers() []string { return append([]string{s.DSN}, s.Servers...) }

// logs returns the number of logs.
func (s Settings) logs() int {
	if s.Engine != PostgreSQL {
		return 1
	}
	return cmp.Or(s.Logs, len(s.servers()))
}
