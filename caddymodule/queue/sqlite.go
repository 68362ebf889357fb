package queue

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

var sqliteDialect = dialect{
	words:     strings.NewReplacer("{seq}", "INTEGER", "{id}", "INTEGER PRIMARY KEY", "{blob}", "BLOB", "{without_rowid}", "WITHOUT ROWID", "{only_postgres}", "-- ", "{only_plain}", "-- "),
	timeline:  `''`,
	isPrimary: `TRUE`,

	placeholder: func(int) string { return "?" },

	holds: func(column string, n int) string { return fmt.Sprintf("instr(%s, $%d) > 0", column, n) },

	isListed: func(n int) string { return fmt.Sprintf("IN (SELECT value FROM json_each($%d))", n) },
	list: func(numbers []int64) any {
		text, _ := json.Marshal(numbers) // which cannot fail
		return string(text)
	},
	isListedKey: func(n int) string { return fmt.Sprintf("IN (SELECT unhex(value) FROM json_each($%d))", n) },
	keyList: func(keys [][]byte) any {
		text, _ := json.Marshal(column(keys, hex.EncodeToString))
		return string(text)
	},
}

// openSQLite opens the file. It creates the file and its directory if they do not
// exist. The file belongs to this process until close.
func openSQLite(ctx context.Context, file string) (*store, error) {
	held, err := holdFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSchema, err)
	}
	file = held.path
	// SQLite's own locks are not held between transactions.
	lock := flock.New(file+".lock", flock.SetPermissions(0o600))
	s := &store{dialect: sqliteDialect, lock: lock, file: held, insertions: make(map[insertion]string)}
	locked, err := lock.TryLock()
	if err != nil {
		_ = s.close()
		return nil, fmt.Errorf("%w: %w", errSchema, err)
	}
	// A process that removes FILE.lock could lock a new one.
	if !locked || !lockFile(held.file) {
		_ = s.close()
		return nil, fmt.Errorf("%w: %s is in use by another process; use one `queue sqlite <file>` per Caddy, or a shared `queue postgres <dsn>`", errSchema, file)
	}
	if err := s.openSQLite(ctx, file); err != nil {
		_ = s.close()
		return nil, fmt.Errorf("%w: %s: %w; the file is unchanged; move it away to start with an empty queue", errSchema, file, err)
	}
	return s, nil
}

// create opens a file. It creates the file and its directory if they do not exist.
func create(file string) (*os.File, error) {
	if err := createDirectory(filepath.Dir(file)); err != nil {
		return nil, err
	}
	return os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
}

// createDirectory creates a directory and its parents, for their owner only, and syncs
// them: SQLite syncs the directory of its file, but not those above.
func createDirectory(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := createDirectory(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if d, err := os.Open(parent); err == nil {
		_ = d.Sync() // not every system can sync a directory
		_ = d.Close()
	}
	return nil
}

// sqliteURI returns the URI of a file, to which parameters can be added.
func sqliteURI(file string) string {
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(file)
}

// openSQLite checks the file and opens the connection pools.
func (s *store) openSQLite(ctx context.Context, file string) error {
	if err := checkSQLite(ctx, file); err != nil {
		return err
	}
	uri := sqliteURI(file) + "?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(ON)&_pragma=cache_size(-16384)&_pragma=wal_autocheckpoint(0)&_pragma=journal_size_limit(33554432)"
	var err error
	// Without temp_store, a statement that changes many pages copies them to a temporary
	// file first, to be able to undo them.
	if s.write, err = sql.Open("sqlite", uri+"&_pragma=temp_store(MEMORY)"); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", uri+"&_pragma=query_only(ON)"); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	s.checkpoints, err = newCheckpointer(ctx, uri, s.file.file)
	return err
}

// Path returns the absolute path of a file without symbolic links, so that two names
// of one file are equal. The file and its directory need not exist.
func Path(file string) string {
	if absolute, err := filepath.Abs(file); err == nil {
		file = absolute
	}
	for existing, rest := file, ""; ; {
		if real, err := filepath.EvalSymlinks(existing); err == nil {
			return filepath.Join(real, rest)
		}
		parent := filepath.Dir(existing)
		if parent == existing {
			return file
		}
		existing, rest = parent, filepath.Join(filepath.Base(existing), rest)
	}
}
