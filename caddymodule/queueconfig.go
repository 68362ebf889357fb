package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/jackc/pgx/v5"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// Lower bounds of what is kept.
const (
	minRetention = time.Second
	minQueueSize = 1 << 20
)

// QueueConfig is where the queue is. Changing it needs a restart.
type QueueConfig struct {
	// What keeps the events: `sqlite`, a file beside this process; or `postgres`, a
	// database that any number of gateways share. Default: sqlite.
	Engine string `json:"engine,omitempty"`

	// The file of `sqlite`; its directory is made, for its owner only. Placeholders
	// are resolved when the configuration loads.
	// Default: `webhooks/queue.db` in Caddy's data directory.
	File string `json:"file,omitempty"`

	// The database of `postgres`, such as `postgres://user@host/database`.
	// Placeholders are resolved when the configuration loads, so that a password
	// need not stand here. Required there.
	DSN string `json:"dsn,omitempty"`
}

// Retention bounds what the queue keeps. Events that are not delivered yet never
// expire.
type Retention struct {
	// How long what was delivered is kept for a replay, and a dead letter at all;
	// at least 1s. Default: 7d.
	Age caddy.Duration `json:"age,omitempty"`

	// How much the queue may hold, in bytes, at least 1048576 (1 MiB). From nine
	// tenths of it on, what was delivered goes at any age; when what is not
	// delivered fills it, new events are refused with 503.
	// Default: 1073741824 (1 GiB).
	Size int64 `json:"size,omitempty"`
}

// check checks what can be checked without resolving placeholders. It prints no
// setting: a DSN may hold a password, also where something else is expected.
func (q *QueueConfig) check() error {
	switch q.Engine {
	case queue.SQLite, "":
		if q.DSN != "" {
			return errors.New("`queue sqlite` takes a file and no DSN; remove the DSN, or say postgres")
		}
	case queue.PostgreSQL:
		if q.File != "" {
			return errors.New("`queue postgres` takes a DSN and no file; remove the file, or say sqlite")
		}
		if q.DSN == "" {
			return errors.New("`queue postgres` needs a DSN, such as postgres://user@host/database")
		}
	default:
		return errors.New("the engine of `queue` is unknown: use sqlite or postgres")
	}
	return nil
}

func (r *Retention) check() error {
	if r.Age != 0 && time.Duration(r.Age) < minRetention {
		return fmt.Errorf("the age of `retention` is at least %s", minRetention)
	}
	if r.Size != 0 && r.Size < minQueueSize {
		return errors.New("the size of `retention` is at least 1MiB")
	}
	return nil
}

// resolveQueue returns the settings of the queue, with placeholders resolved and
// defaults filled in. It opens nothing.
func (a *App) resolveQueue() (s queue.Settings, err error) {
	s = queue.Settings{Engine: queue.SQLite, Retention: queue.DefaultRetention, Size: queue.DefaultSize}
	if r := a.Retention; r != nil {
		if err := r.check(); err != nil {
			return s, err
		}
		s.Retention = cmp.Or(time.Duration(r.Age), s.Retention)
		s.Size = cmp.Or(r.Size, s.Size)
	}
	var config QueueConfig
	if a.Queue != nil {
		config = *a.Queue
	}
	if err := config.check(); err != nil {
		return s, err
	}
	if config.Engine == queue.PostgreSQL {
		s.Engine = config.Engine
		s.DSN, err = resolveDSN(config.DSN)
		return s, err
	}
	s.File, err = resolveFile(config.File)
	return s, err
}

// resolveFile returns the path of the file, absolute so that one file has one
// name.
func resolveFile(file string) (string, error) {
	if file == "" {
		return filepath.Abs(filepath.Join(caddy.AppDataDir(), "webhooks", "queue.db"))
	}
	file, err := resolve("queue sqlite", file)
	if err != nil {
		return "", err
	}
	return filepath.Abs(file)
}

// resolveDSN resolves and checks a DSN. What is wrong with one is not told in
// the words of its parser, which may repeat a password.
func resolveDSN(dsn string) (string, error) {
	dsn, err := resolve("queue postgres", dsn)
	if err != nil {
		return "", err
	}
	_, err = pgx.ParseConfig(dsn)
	switch {
	case err == nil:
		return dsn, nil
	case errors.As(err, new(*fs.PathError)):
		return "", errors.New("`queue postgres`: a file that the DSN names cannot be read, such as that of sslrootcert; write it, and let Caddy read it")
	}
	return "", errors.New("`queue postgres`: that is not a DSN, such as postgres://user@host/database")
}
