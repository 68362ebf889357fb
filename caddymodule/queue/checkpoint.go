package queue

import (
	"context"
	"database/sql"
	"os"
	"sync/atomic"

	"modernc.org/sqlite"
)

const (
	// checkpointPages is the number of pages that the writer adds to the WAL before a
	// checkpoint copies them.
	checkpointPages = 1000

	// restartPages is the length of the WAL, 16 MB, at which it begins anew.
	restartPages = 4000

	// remainingPages is the number of pages that may be left to copy when the writer
	// stops for that.
	remainingPages = 200

	// overduePages is how much longer the WAL may get before the writer stops, however
	// many pages are left.
	overduePages = 2 * restartPages

	// longPages is the length of the WAL, 128 MB, that is reported.
	longPages = 8 * restartPages
)

// checkpointer copies pages from SQLite's WAL into its file, in small steps and beside
// the writer. A commit that makes a checkpoint by itself would keep all answers waiting
// for as long as the disk takes.
//
// Under a steady load a checkpoint beside the writer never reaches the end of the WAL,
// which therefore never begins anew. So when the WAL has restartPages, checkpoints follow
// each other until few pages remain. Those the writer copies itself: it waits for readers
// that began earlier, for at most restartTimeout. If another process reads for longer,
// the WAL grows, and the writer tries again every restartPages. If the writer is so fast
// that many pages remain, it copies them all the same once there are overduePages more:
// its answers wait, and the WAL does not grow for ever.
type checkpointer struct {
	db      *sql.DB  // one connection
	file    *os.File // SQLite's
	kick    chan struct{}
	stopped chan struct{}

	written   int          // pages since the last kick; belongs to the writer
	restartAt atomic.Int64 // the length of the WAL at which the writer tries to begin it anew
	restart   atomic.Bool  // the writer is to try

	// unsynced means that a sync of the file has failed. Pages that the system reported
	// as written may be lost, and SQLite would not copy them again. The WAL has them, so
	// it is kept until a new process replays it: checkpoints end, and the connections stay
	// open, because closing the last one removes the WAL.
	unsynced atomic.Bool

	isLong bool // was reported; belongs to run

	// report is called after a sync has failed, and when other processes have made the
	// WAL long.
	report func(message string, err error)
}

// restartTimeout is how long the writer waits for readers, in milliseconds.
const restartTimeout = "50"

// newCheckpointer starts the checkpoints of a file, until close.
func newCheckpointer(ctx context.Context, uri string, file *os.File) (*checkpointer, error) {
	db, err := sql.Open("sqlite", uri)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	// The connection opens now, while the path leads to the file, and stays.
	if _, err = db.ExecContext(ctx, `PRAGMA busy_timeout = `+restartTimeout); err != nil {
		_ = db.Close()
		return nil, err
	}
	c := &checkpointer{
		db: db, file: file, report: func(string, error) {},
		kick: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	c.restartAt.Store(restartPages)
	go c.run() // ended by close
	return c, nil
}

// close ends the checkpoints. It reports whether the connections may be closed.
func (c *checkpointer) close() bool {
	if c == nil {
		return true
	}
	close(c.kick)
	<-c.stopped
	return !c.unsynced.Load()
}

// connections returns the connections that checkpoints use, nil if there are none.
func (c *checkpointer) connections() *sql.DB {
	if c == nil {
		return nil
	}
	return c.db
}

// note counts the pages of a commit.
func (c *checkpointer) note(conn *sql.Conn) {
	if c == nil {
		return
	}
	_ = conn.Raw(func(driver any) error {
		written, _, err := driver.(sqlite.DBStatus).Status(sqlite.DBStatusCacheWrite, true)
		c.written += written
		return err
	})
	if c.written < checkpointPages {
		return
	}
	select {
	case c.kick <- struct{}{}:
		c.written = 0
	default: // the next commit tries again
	}
}

func (c *checkpointer) run() {
	defer close(c.stopped)
	for range c.kick {
		c.step()
	}
}

// step copies pages until the WAL is short, or the writer has to go on.
func (c *checkpointer) step() {
	for before := -1; !c.unsynced.Load(); {
		length, copied, err := c.checkpoint("PASSIVE")
		if err != nil {
			return // nothing is lost; the next step tries again
		}
		// SQLite itself syncs the file only after it has copied all of the WAL.
		if err := c.file.Sync(); err != nil {
			c.unsynced.Store(true)
			c.report("cannot sync the queue file; its WAL keeps all events, and grows until Caddy restarts: check the disk, then restart", err)
			return
		}
		c.reportLength(length)
		due := int(c.restartAt.Load())
		if length < due {
			return
		}
		if length-copied <= remainingPages || copied == before || length >= due+overduePages {
			c.restart.Store(true)
			return
		}
		before = copied
	}
}

// reportLength reports once that the WAL is long.
func (c *checkpointer) reportLength(pages int) {
	isLong := pages >= longPages
	if isLong && !c.isLong {
		c.report("the WAL of the queue file grows, because another process keeps a read of the file open; end that process", nil)
	}
	c.isLong = isLong
}

// finish lets the WAL begin anew if it is time. The writer calls it between two commits.
func (c *checkpointer) finish() {
	if c == nil || !c.restart.Swap(false) || c.unsynced.Load() {
		return
	}
	length, copied, err := c.checkpoint("RESTART")
	if err == nil && copied == length {
		length = 0
	}
	c.restartAt.Store(int64(length + restartPages))
}

// checkpoint makes a checkpoint. It returns the number of pages in the WAL, and how many
// of them are copied.
func (c *checkpointer) checkpoint(mode string) (length, copied int, err error) {
	var busy int
	err = c.db.QueryRowContext(context.Background(), `PRAGMA wal_checkpoint(`+mode+`)`).Scan(&busy, &length, &copied)
	return length, copied, err
}
