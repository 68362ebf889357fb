package queue

import (
	"errors"
	"fmt"
	"os"

	"go.uber.org/zap"
)

// errReplaced means that the path of SQLite's file leads to another file or to none:
// the next start would not find what is committed. It wraps errCommit, because the
// original may come back.
var errReplaced = fmt.Errorf("%w: the file was removed or replaced", errCommit)

// openFile is the file that SQLite has open. Once the queue is open, only the writer's
// goroutine uses it.
type openFile struct {
	path string

	// file keeps the inode from being given to another file. close must come after
	// SQLite has closed all its connections: when a process closes any descriptor
	// of a file, the system drops all POSIX locks that the process holds on it, and
	// SQLite's are among them.
	file *os.File

	identity os.FileInfo // of file
	wal      os.FileInfo // identity of the WAL, nil until noteWAL

	replaced bool // at the last check

	// report is called with the path that was replaced, and with "" when the original
	// is back.
	report func(path string)
}

// holdFile opens the file. It creates the file and its directory if they do not exist:
// SQLite would give them wider permissions.
func holdFile(path string) (*openFile, error) {
	file, err := create(path)
	if err != nil {
		return nil, err
	}
	identity, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	// From now on, Path follows a link that led nowhere.
	return &openFile{path: Path(path), file: file, identity: identity, report: func(string) {}}, nil
}

// noteWAL notes the identity of the WAL. SQLite removes it only after the last
// connection is closed.
func (f *openFile) noteWAL() {
	if f == nil {
		return
	}
	f.wal, _ = os.Stat(f.walPath()) // if there is none, nothing can be lost with it
}

func (f *openFile) walPath() string { return f.path + "-wal" }

// check returns an error if the paths no longer lead to the files that are open.
// It reads two directory entries, and no file.
func (f *openFile) check() error {
	if f == nil {
		return nil
	}
	path := ""
	switch {
	case !isAt(f.identity, f.path):
		path = f.path
	case f.wal != nil && !isAt(f.wal, f.walPath()):
		path = f.walPath()
	}
	if replaced := path != ""; replaced != f.replaced {
		f.replaced = replaced
		f.report(path)
	}
	if path == "" {
		return nil
	}
	return fmt.Errorf("%w: %s", errReplaced, path)
}

// recheck repeats a check that failed, so that nothing is written that would be lost.
// Otherwise the check after the commit is enough.
func (f *openFile) recheck() error {
	if f == nil || !f.replaced {
		return nil
	}
	return f.check()
}

func (f *openFile) close() error {
	if f == nil {
		return nil
	}
	return f.file.Close()
}

// isAt reports whether a path leads to a file.
func isAt(file os.FileInfo, path string) bool {
	now, err := os.Stat(path)
	return err == nil && os.SameFile(file, now)
}

// reportReplaced logs that the file was replaced, or that the original is back.
func (q *eventLog) reportReplaced(path string) {
	if path == "" {
		q.log().Info("queue file is back; accepting events again", zap.String("file", q.store.file.path))
		return
	}
	q.log().Error("queue file was removed or replaced while open; no events are accepted until it is back or Caddy restarts",
		zap.String("file", path))
}

// logFailure logs an error of the database, except errReplaced, which reportReplaced
// logs once.
func (q *eventLog) logFailure(message string, err error, fields ...zap.Field) {
	if !errors.Is(err, errReplaced) {
		q.log().Error(message, append(fields, zap.Error(err))...)
	}
}
