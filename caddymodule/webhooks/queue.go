package webhooks

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/jackc/pgx/v5"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// Lower bounds of Retention.
const (
	minRetention = time.Second
	minQueueSize = 1 << 20
)

// QueueConfig is the place of the queue. Changing it needs a restart.
type QueueConfig struct {
	// The engine that keeps the events: `sqlite`, a file beside this process; or
	// `postgres`, a database that any number of gateways share. Default: sqlite.
	Engine string `json:"engine,omitempty"`

	// The file of `sqlite`. Its directory is created, for its owner only. Placeholders
	// are resolved when the configuration loads.
	// Default: `webhooks/queue.db` in Caddy's data directory.
	File string `json:"file,omitempty"`

	// The database of `postgres`, such as `postgres://user@host/database`.
	// Placeholders are resolved when the configuration loads, so that the password
	// can be kept elsewhere. Required for `postgres`. With several servers, the one that
	// had the queue first: the order matters.
	DSN string `json:"dsn,omitempty"`

	// The databases of further servers of `postgres`, in the same form. The logs are
	// spread over all servers.
	Servers []string `json:"servers,omitempty"`

	// The number of logs that share the events of `postgres`, up to 8. All events of a
	// partition key are in one log. Default: one for each server.
	Logs int `json:"logs,omitempty"`

	// Whether `postgres` finds a duplicate in whichever log its first copy is, even if
	// the two have different partition keys. It takes one more commit for each event, and
	// only matters with several logs. Default: false.
	StrictDedup bool `json:"strict_dedup,omitempty"`
}

// Retention bounds the events that the queue keeps. Events that are not delivered yet
// never expire.
type Retention struct {
	// How long delivered events are kept for a replay, and dead letters at all; at
	// least 1s. Default: 7d.
	Age caddy.Duration `json:"age,omitempty"`

	// The maximum size of the queue, in bytes; at least 1048576 (1 MiB). From nine
	// tenths of it on, delivered events are removed at any age. When events that are
	// not delivered fill it, new ones are refused with 503.
	// Default: 1073741824 (1 GiB).
	Size int64 `json:"size,omitempty"`
}

// check checks the settings without resolving placeholders. Its errors show no
// setting: a DSN may hold a password, also in the wrong place.
func (q *QueueConfig) check() error {
	switch q.Engine {
	case queue.SQLite, "":
		if q.DSN != "" || len(q.Servers) > 0 {
			return errors.New("`queue sqlite` takes a file and no DSN; remove the DSN, or use postgres")
		}
		if q.Logs != 0 || q.StrictDedup {
			return errors.New("`queue sqlite` is always one log, and finds every duplicate; remove `logs` and `strict_dedup`, or use postgres")
		}
	case queue.PostgreSQL:
		if q.File != "" {
			return errors.New("`queue postgres` takes a DSN and no file; remove the file, or use sqlite")
		}
		if q.DSN == "" {
			return errors.New("`queue postgres` requires a DSN, such as postgres://user@host/database")
		}
		if q.Logs != 0 {
			if err := checkLogs(q.Logs); err != nil {
				return err
			}
		}
		return checkServers(q.dsns())
	default:
		return errors.New("unknown engine of `queue`; use sqlite or postgres")
	}
	return nil
}

// dsns returns the DSNs of all servers.
func (q *QueueConfig) dsns() []string { return append([]string{q.DSN}, q.Servers...) }

func checkLogs(n int) error {
	if n < 1 || n > queue.MaxLogs {
		return fmt.Errorf("`logs` must be a whole number from 1 to %d", queue.MaxLogs)
	}
	return nil
}

// checkServers checks how many servers there are, and that none is listed twice.
func checkServers(dsns []string) error {
	if len(dsns) > queue.MaxLogs {
		return fmt.Errorf("`queue postgres` has %d DSNs; use at most %d, because a server without a log has no work", len(dsns), queue.MaxLogs)
	}
	for i, dsn := range dsns {
		if first := slices.Index(dsns, dsn); first < i {
			return fmt.Errorf("DSN %d of `queue postgres` is the same as DSN %d; list each server once", i+1, first+1)
		}
	}
	return nil
}

func (r *Retention) check() error {
	if r.Age != 0 && time.Duration(r.Age) < minRetention {
		return fmt.Errorf("the age of `retention` must be at least %s", minRetention)
	}
	if r.Size != 0 && r.Size < minQueueSize {
		return errors.New("the size of `retention` must be at least 1MiB")
	}
	return nil
}

// QueueSettings returns the settings of the queue, with placeholders resolved and
// defaults set. It opens nothing.
func (a *App) QueueSettings() (s queue.Settings, err error) {
	s = queue.Settings{Engine: queue.SQLite, Retention: queue.DefaultRetention, Size: queue.DefaultSize}
	if r := a.Retention; r != nil {
		if err = r.check(); err != nil {
			return s, err
		}
		s.Retention = cmp.Or(time.Duration(r.Age), s.Retention)
		s.Size = cmp.Or(r.Size, s.Size)
	}
	var config QueueConfig
	if a.Queue != nil {
		config = *a.Queue
	}
	if err = config.check(); err != nil {
		return s, err
	}
	if config.Engine == queue.PostgreSQL {
		s.Engine, s.Logs, s.StrictDedup = config.Engine, config.Logs, config.StrictDedup
		var dsns []string
		if dsns, err = resolveDSNs(config.dsns()); err != nil {
			return s, err
		}
		s.DSN, s.Servers = dsns[0], dsns[1:]
		return s, nil
	}
	s.File, err = resolveFile(config.File)
	return s, err
}

// resolveFile returns the path of the file, absolute so that one file has one name.
func resolveFile(file string) (string, error) {
	if file == "" {
		return filepath.Abs(filepath.Join(caddy.AppDataDir(), "webhooks", "queue.db"))
	}
	file, err := Resolve("queue sqlite", file)
	if err != nil {
		return "", err
	}
	return filepath.Abs(file)
}

// resolveDSNs resolves and checks the DSNs of all servers.
func resolveDSNs(dsns []string) ([]string, error) {
	resolved := make([]string, len(dsns))
	for i, dsn := range dsns {
		var err error
		if resolved[i], err = resolveDSN(dsn); err != nil && len(dsns) > 1 {
			return nil, fmt.Errorf("DSN %d of %w", i+1, err)
		} else if err != nil {
			return nil, err
		}
	}
	return resolved, checkServers(resolved)
}

// resolveDSN resolves and checks a DSN. Its errors are not those of the parser, which
// may repeat a password.
func resolveDSN(dsn string) (string, error) {
	dsn, err := Resolve("queue postgres", dsn)
	if err != nil {
		return "", err
	}
	_, err = pgx.ParseConfig(dsn)
	switch {
	case err == nil:
		return dsn, nil
	case errors.As(err, new(*fs.PathError)):
		return "", errors.New("`queue postgres`: a file that the DSN names, such as that of sslrootcert, is not readable; check the file and its permissions")
	}
	return "", errors.New("`queue postgres`: not a DSN; use one such as postgres://user@host/database")
}
