package queue

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// lockedByte is the byte that lockFile locks, far behind those that SQLite locks
// (0x40000000 to 0x400001ff). A lock may lie behind the end of a file.
const lockedByte = 1 << 40

// lockFile locks the file itself while it is open, and returns false if another process
// has locked it. Unlike SQLite's locks, this one belongs to the open file and not to
// the process, so that closing another descriptor does not release it. On systems
// without such locks, only FILE.lock protects the queue.
func lockFile(f *os.File) bool {
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{
		Type: unix.F_WRLCK, Whence: io.SeekStart, Start: lockedByte, Len: 1,
	})
	return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES)
}
