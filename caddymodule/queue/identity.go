package queue

import (
	"errors"
	"fmt"
	"os"

	"go.uber.org/zap"
)

// errReplaced says that SQLite has a file open that its path no longer leads to:
// the next start would not find what was committed. It wraps errCommit, because the
// original may come back.
var errReplaced = fmt.Errorf("%w: the file was removed or replaced", errCommit)

// openFile is the file that SQLite has open. Only the goroutine that writes uses
// it, once the queue is open.
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

	// report is called when the file turns out to be replaced, with the path that
	// is, and with "" when the original is back.
	report func(path string)
}

// holdFile opens the file, and creates it and its directory if they do not exist,
// before SQLite does that with the permissions of every file.
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

// noteWAL notes which file the WAL is. SQLite removes it only after the last
// connection is closed.
func (f *openFile) noteWAL() {
	if f == nil {
		return
	}
	f.wal, _ = os.Stat(f.walPath()) // without a WAL, there is nothing to lose with it
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

// recheck is check if the last one failed: what would be lost is not even written
// then. Otherwise, the check after the commit is enough.
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
func (q *Queue) reportReplaced(path string) {
	if path == "" {
		q.log().Info("the queue's file is back: events are taken again", zap.String("file", q.store.file.path))
		return
	}
	q.log().Error("the queue's file was removed or replaced while it is open: no events are taken until it is back or Caddy is restarted",
		zap.String("file", path))
}

// logFailure logs an error of the database, unless that is errReplaced, which is
// logged once.
func (q *Queue) logFailure(message string, err error, fields ...zap.Field) {
	if !errors.Is(err, errReplaced) {
		q.log().Error(message, append(fields, zap.Error(err))...)
	}
}
